"""The language of rules between columns: text to a tree, without any evaluation.

``cigarettes_per_day > 0 implies smoker == yes``, ``dbp <= sbp``, ``urban + rural == visits``, ``sex == male implies
missing(pregnancies)``, ``0 < dbp < sbp``, ``ward in (A, B)``. Names and levels stand bare if they are words; a name that is
none stands between backquotes, a level that is none between quotes. Python's parser finds the structure; every word has been
replaced before, so that nothing of it is Python, and nothing is ever run.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from mgvae.config.formats import plain_text

Sign = Literal["<", "<=", "==", "!=", ">=", ">"]
LONGEST = 500  # characters of a rule
TOKEN = re.compile(
    r"""\s*(?:(?P<name>`[^`]+`)|(?P<text>"[^"]*"|'[^']*')|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)"""
    r"""|(?P<word>[^\W\d][\w.]*)|(?P<sign><=|>=|==|!=|[-<>+*(),]))"""
)
WORD = re.compile(r"[^\W\d][\w.]*")
KEYWORDS = ("and", "or", "not", "in")
RESERVED = (*KEYWORDS, "implies", "missing")
SIGNS: dict[type[ast.cmpop], Sign] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.GtE: ">=",
    ast.Gt: ">",
}
ARITHMETIC: dict[type[ast.operator], Literal["+", "-", "*"]] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}


@dataclass(frozen=True)
class Word:
    """A bare word, a column's name in backquotes or a level in quotes."""

    text: str
    kind: Literal["word", "name", "text"] = "word"


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float


@dataclass(frozen=True)
class Arithmetic:
    """A sum, a difference or a product."""

    sign: Literal["+", "-", "*"]
    left: Operand
    right: Operand


Operand = Word | Number | Arithmetic


@dataclass(frozen=True)
class Comparison:
    """Two operands that are compared."""

    sign: Sign
    left: Operand
    right: Operand


@dataclass(frozen=True)
class Missing:
    """Whether a column's cell is missing."""

    of: Word


@dataclass(frozen=True)
class Not:
    """A condition that must not hold."""

    of: Condition


@dataclass(frozen=True)
class All:
    """Conditions that must all hold."""

    of: tuple[Condition, ...]


@dataclass(frozen=True)
class Either:
    """Conditions of which one must hold."""

    of: tuple[Condition, ...]


Condition = Comparison | Missing | Not | All | Either


def parse(text: str) -> Condition:
    """Return the condition that ``text`` states.

    Raises:
        ValueError: it is no condition of this language; the message says where.
    """
    if len(text) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters; got {len(text)}. Divide it into several rules")
    sides: list[list[str]] = [[]]
    words: dict[str, Word] = {}
    for piece in _pieces(plain_text(text)):
        if piece == "implies":
            sides.append([])
        elif isinstance(piece, Word):
            words[f"w{len(words)}"] = piece
            sides[-1].append(f"w{len(words) - 1}")
        else:
            sides[-1].append(piece)
    if len(sides) > 2:
        raise ValueError("must say 'implies' at most once; write 'a and b implies c' for a chain")
    try:
        found = [_condition(_tree(" ".join(side)), words) for side in sides]
    except RecursionError:
        raise ValueError("must not be nested that deeply; divide it into several rules") from None
    return found[0] if len(found) == 1 else Either((Not(found[0]), found[1]))


def name_text(name: str) -> str | None:
    """Return how a rule names a column; None if it cannot."""
    if WORD.fullmatch(name) and name not in RESERVED:
        return name
    return None if "`" in name or not name.isprintable() else f"`{name}`"


def level_text(level: bool | int | float | str, columns: Collection[str]) -> str | None:
    """Return how a rule names a level, given all columns' names; None if it cannot."""
    if not isinstance(level, str):
        return str(level).lower() if isinstance(level, bool) else f"{level:.17g}"
    if WORD.fullmatch(level) and level not in (*RESERVED, *columns):
        return level
    quote = next((mark for mark in "'\"" if mark not in level), None)
    return None if quote is None or not level.isprintable() else f"{quote}{level}{quote}"


def _pieces(text: str) -> list[Word | str]:
    """Return words, and the keywords, numbers and signs as Python spells them."""
    out: list[Word | str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"{_hint(text[at:].lstrip())}; got {text[at:].strip()[:20]!r}")
        at = match.end()
        kind, piece = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "word":
            called = text[at:].lstrip().startswith("(")
            python = piece in (*KEYWORDS, "implies") or (piece == "missing" and called)
            out.append(piece if python else Word(piece))
        elif kind in ("name", "text"):
            out.append(Word(piece[1:-1], "name" if kind == "name" else "text"))
        else:
            out.append(piece.lstrip("0") or "0" if piece.isdecimal() else piece)  # Python refuses 007
    return out


def _hint(rest: str) -> str:
    if rest.startswith("="):
        return "must compare with ==, not with ="
    if rest[0] in "/%":
        return "must use + - * alone; multiply both sides instead of dividing"
    if rest[0] in "`'\"":
        return "must close what it opens with a quote"
    return "must hold names, levels, numbers, + - *, < <= == != >= >, and, or, not, in, implies, missing(...)"


def _tree(source: str) -> ast.expr:
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ValueError(
            "must be a condition such as 'dbp <= sbp' or 'cigarettes > 0 implies smoker == yes'; a name of several words "
            "stands between backquotes, a level of several words between quotes"
        ) from None


def _condition(node: ast.expr, words: dict[str, Word]) -> Condition:
    if isinstance(node, ast.BoolOp):
        parts = tuple(_condition(part, words) for part in node.values)
        return All(parts) if isinstance(node.op, ast.And) else Either(parts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return Not(_condition(node.operand, words))
    if isinstance(node, ast.Call):
        return _missing(node, words)
    if isinstance(node, ast.Compare):
        ends = [node.left, *node.comparators]
        parts = tuple(
            _compared(sign, left, right, words) for sign, left, right in zip(node.ops, ends[:-1], ends[1:], strict=True)
        )
        return parts[0] if len(parts) == 1 else All(parts)
    raise ValueError("must compare something: 'smoker == yes', not 'smoker'")


def _missing(node: ast.Call, words: dict[str, Word]) -> Missing:
    called = isinstance(node.func, ast.Name) and node.func.id == "missing"
    of = _operand(node.args[0], words) if called and len(node.args) == 1 and not node.keywords else None
    if not isinstance(of, Word):
        raise ValueError("must give brackets to missing(COLUMN) alone, and to what is calculated or joined")
    return Missing(of)


def _compared(sign: ast.cmpop, left: ast.expr, right: ast.expr, words: dict[str, Word]) -> Condition:
    if isinstance(sign, ast.In | ast.NotIn):
        among = right.elts if isinstance(right, ast.Tuple) else [right]
        one = Either(tuple(Comparison("==", _operand(left, words), _operand(level, words)) for level in among))
        return one if isinstance(sign, ast.In) else Not(one)
    if type(sign) not in SIGNS:
        raise ValueError("must compare with < <= == != >= > or in")
    return Comparison(SIGNS[type(sign)], _operand(left, words), _operand(right, words))


def _operand(node: ast.expr, words: dict[str, Word]) -> Operand:
    if isinstance(node, ast.Name) and node.id in words:
        return words[node.id]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and math.isfinite(node.value):
        return Number(float(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _operand(node.operand, words)
        return Number(-inner.value) if isinstance(inner, Number) else Arithmetic("-", Number(0.0), inner)
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return Arithmetic(ARITHMETIC[type(node.op)], _operand(node.left, words), _operand(node.right, words))
    raise ValueError("must compare columns, levels, numbers and their sums, differences and products")
