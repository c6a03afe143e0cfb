"""Implications between levels, zeros and missing cells that no row breaks.

Thresholds as in `mgvae.draft.relations`. What follows from others is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgvae.arrays import Array, BoolArray, IntArray
from mgvae.draft.relations import LEAST_EXPECTED, LEAST_ROWS, sample_rows

MOST_LITERALS = 3000
SAMPLE = 4000  # rows that refute most pairs
AT_ONCE = 2000  # pairs that are verified together
FALSE_ALARMS = 0.01  # most rules that chance gives in a table of unrelated columns


@dataclass(frozen=True, eq=False)
class Literal:
    """What a row may fulfil: ``smoker == yes``, ``cigarettes > 0``, ``missing(ldl)``; those of one column exclude each other.

    Attributes:
        text: as a rule says it.
        column: number of its column.
        rows: where it holds, bool ``(n,)``.
        known: where it is decided, bool ``(n,)``.
        implies, implied: whether it may stand before, and behind, "implies".
        opposite: text of the literal that holds wherever this one is decided and does not; None if there is none.
    """

    text: str
    column: int
    rows: BoolArray
    known: BoolArray
    implies: bool = True
    implied: bool = True
    opposite: str | None = None


@dataclass(frozen=True)
class Implication:
    """``before implies behind``, in so many rows that fulfil the first and decide the second."""

    before: str
    behind: str
    rows: int
    expected: float


def implications(literals: Sequence[Literal]) -> list[Implication]:
    """Return the implications that all rows keep, the most surprising first; none follows from others."""
    ranked = sorted(literals, key=lambda one: -min(int(one.rows.sum()), int((one.known & ~one.rows).sum())))
    chosen = set(map(id, ranked[:MOST_LITERALS]))
    used = [one for one in literals if id(one) in chosen]
    before = [one for one in used if one.implies and one.rows.sum() >= LEAST_ROWS]
    behind = [one for one in used if one.implied and (one.known & ~one.rows).any()]
    if not before or not behind:
        return []
    found = list(_verified(before, behind, _candidates(before, behind)))
    return _reduced(found, literals)


def _candidates(before: Sequence[Literal], behind: Sequence[Literal]) -> tuple[IntArray, IntArray]:
    """Return pairs that a sample of the rows does not refute."""
    n = len(before[0].rows)
    some = np.sort(sample_rows(n, SAMPLE))
    first = np.column_stack([one.rows[some] for one in before]).astype(np.float32)
    against = np.column_stack([one.known[some] & ~one.rows[some] for one in behind]).astype(np.float32)
    held = np.array([one.rows.sum() for one in before], dtype=float)
    refuting = np.array([(one.known & ~one.rows).sum() / max(one.known.sum(), 1) for one in behind])
    kept = (first.T @ against == 0) & (np.outer(held, refuting) >= LEAST_EXPECTED)
    kept &= np.array([one.column for one in before])[:, None] != np.array([one.column for one in behind])
    left, right = np.nonzero(kept)
    return left, right


def _verified(before: Sequence[Literal], behind: Sequence[Literal], pairs: tuple[IntArray, IntArray]) -> Iterator[Implication]:
    """Yield the pairs that no row of all refutes, and that would be refuted had they nothing in common."""
    first = np.vstack([np.packbits(one.rows) for one in before])
    against = np.vstack([np.packbits(one.known & ~one.rows) for one in behind])
    known = np.vstack([np.packbits(one.known) for one in behind])
    refuting = np.bitwise_count(against).sum(axis=1) / np.maximum(np.bitwise_count(known).sum(axis=1), 1)
    least = max(LEAST_EXPECTED, math.log(len(before) * len(behind) / FALSE_ALARMS))
    for start in range(0, len(pairs[0]), AT_ONCE):
        left, right = (side[start : start + AT_ONCE] for side in pairs)
        whole = ~(first[left] & against[right]).any(axis=1)
        left, right = left[whole], right[whole]
        rows: Array = np.bitwise_count(first[left] & known[right]).sum(axis=1)
        expected = rows * refuting[right]
        for at in np.flatnonzero((rows >= LEAST_ROWS) & (expected >= least)):
            yield Implication(before[left[at]].text, behind[right[at]].text, int(rows[at]), float(expected[at]))


def _reduced(found: Sequence[Implication], literals: Sequence[Literal]) -> list[Implication]:
    """Return implications of which none follows from others.

    What follows from others excludes less than each of them, and so has fewer expected breaks: it comes after them.
    """
    opposite = {literal.text: literal.opposite for literal in literals}
    own: dict[int, list[str]] = {}
    for literal in literals:
        own.setdefault(literal.column, []).append(literal.text)
    excluded = {literal.text: [text for text in own[literal.column] if text != literal.text] for literal in literals}
    graph: dict[str, set[str]] = {}
    kept = []
    for one in sorted(found, key=lambda one: -one.expected):
        if _reaches(graph, one.before, one.behind):
            continue
        kept.append(one)
        graph.setdefault(one.before, set()).add(one.behind)
        not_before = opposite[one.before]
        for other in excluded[one.behind] if not_before is not None else ():
            graph.setdefault(other, set()).add(str(not_before))
    return kept


def _reaches(graph: dict[str, set[str]], start: str, end: str) -> bool:
    seen, ahead = {start}, [start]
    while ahead:
        for step in graph.get(ahead.pop(), ()):
            if step == end:
                return True
            if step not in seen:
                seen.add(step)
                ahead.append(step)
    return False
