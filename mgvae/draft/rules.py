"""Draft rules between columns: what no row of the extract breaks, though many would by chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgvae.arrays import BoolArray, FloatArray
from mgvae.config.dictionary import NUMERIC_KINDS, canonical
from mgvae.config.expression import level_text, name_text
from mgvae.draft.columns import numbers_of, present
from mgvae.draft.entry import Drafted
from mgvae.draft.implications import Literal, implications
from mgvae.draft.relations import LEAST_EXPECTED, LEAST_ROWS, relations
from mgvae.draft.scan import Seen

MOST_IMPLICATIONS = 20  # proposed; the most surprising ones
MOST_LEVELS = 20  # of a column, of which implications are looked for


@dataclass(frozen=True)
class DraftedRule:
    """A rule that no row of the extract breaks.

    Attributes:
        text: as the dictionary states it; empty for columns that are missing together.
        together: those columns.
        rows: how many rows decide it; of columns that are missing together: how many rows lack them.
        copy: whether it says that two columns are equal.
    """

    text: str
    rows: int
    together: tuple[str, ...] = ()
    copy: bool = False

    @property
    def note(self) -> str:
        """What a person must look at."""
        if self.together:
            return f"missing in the same {self.rows:,} rows"
        if self.copy:
            return f"equal in all {self.rows:,} rows that have both: a copy? then exclude one of them"
        return f"{self.rows:,} rows keep it, and none breaks it"


@dataclass(frozen=True, eq=False)
class _Column:
    """A predictor: its name in rules, numbers (NaN for missing), places of its levels (-1 for missing)."""

    name: str
    drafted: Drafted
    numbers: FloatArray
    codes: NDArray[np.int32]

    @property
    def known(self) -> BoolArray:
        return self.codes >= 0 if self.drafted.categories else ~np.isnan(self.numbers)


def drafted_rules(pairs: Sequence[tuple[Seen, Drafted]]) -> tuple[DraftedRule, ...]:
    """Return the rules that all rows keep, orders and sums first.

    Args:
        pairs: the columns, each with its entry; rules are looked for among predictors.
    """
    columns = [
        _column(name, seen, drafted)
        for seen, drafted in pairs
        if drafted.predicts and drafted.kind not in (None, "date") and (name := name_text(seen.name)) is not None
    ]
    if len(columns) < 2:
        return ()
    panels = list(_panels(columns))
    named = {name for panel, _ in panels for name in panel[1:]}
    literals = [one for at, column in enumerate(columns) for one in _literals(at, column, columns, column.name in named)]
    found = implications(literals)[:MOST_IMPLICATIONS]
    names = {column.name: column.drafted.name for column in columns}
    return (
        *_of_numbers(columns),
        *(DraftedRule(f"{one.before} implies {one.behind}", one.rows) for one in found),
        *(DraftedRule("", rows, tuple(names[name] for name in panel)) for panel, rows in panels),
    )


def _column(name: str, seen: Seen, drafted: Drafted) -> _Column:
    cells = np.where(np.append(present(seen, drafted), False)[seen.codes], seen.codes, -1)
    numbers = numbers_of(seen.values, drafted.format if drafted.kind in NUMERIC_KINDS else None)
    places = {canonical(level): at for at, level in enumerate(drafted.categories)}
    spelt = [places.get(value, places.get(canonical(numbers[at]), -1)) for at, value in enumerate(seen.values)]
    values, codes = np.append(numbers, np.nan), np.array([*spelt, -1], dtype=np.int32)
    return _Column(name, drafted, values[cells] if _counts(drafted) else values[:0], codes[cells])


def _counts(drafted: Drafted) -> bool:
    """Return whether a column's values are numbers, if only as names of levels."""
    return drafted.kind in NUMERIC_KINDS or not any(isinstance(level, str) for level in drafted.categories)


def _of_numbers(columns: Sequence[_Column]) -> Iterator[DraftedRule]:
    """Yield orders, sums and equal columns; levels that are numbers may be summed."""
    some = [column for column in columns if _counts(column.drafted)]
    if not some:
        return
    summed = np.array([column.drafted.kind not in NUMERIC_KINDS for column in some])
    for one in relations(np.column_stack([column.numbers for column in some]), summed):
        left = " + ".join(some[at].name for at in one.left)
        copy = one.sign == "==" and len(one.left) == 1
        yield DraftedRule(f"{left} {one.sign} {some[one.right].name}", one.rows, copy=copy)


def _literals(at: int, column: _Column, columns: Sequence[_Column], in_panel: bool) -> Iterator[Literal]:
    known = column.known
    if column.drafted.categories:
        yield from _level_literals(at, column, [other.drafted.name for other in columns])
    elif np.nanmin(column.numbers, initial=0.0) >= 0:
        zero, more = known & (column.numbers == 0), known & (column.numbers > 0)
        if min(zero.sum(), more.sum()) >= LEAST_ROWS:
            texts = f"{column.name} == 0", f"{column.name} > 0"
            yield Literal(texts[0], at, zero, known, implies=False, opposite=texts[1])
            yield Literal(texts[1], at, more, known, opposite=texts[0])
    if not in_panel and not known.all():
        yield Literal(f"missing({column.name})", at, ~known, np.ones_like(known), implies=False)


def _level_literals(at: int, column: _Column, names: Sequence[str]) -> Iterator[Literal]:
    levels = [level_text(level, names) for level in column.drafted.categories]
    if len(levels) > MOST_LEVELS:
        return
    texts = [None if level is None else f"{column.name} == {level}" for level in levels]
    for place, text in enumerate(texts):
        if text is not None:
            other = texts[1 - place] if len(texts) == 2 else None
            yield Literal(text, at, column.codes == place, column.known, opposite=other)


def _panels(columns: Sequence[_Column]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield columns that are missing in the same rows, and how many rows those are."""
    found: dict[bytes, list[_Column]] = {}
    for column in columns:
        found.setdefault(np.packbits(column.known).tobytes(), []).append(column)
    for panel in found.values():
        missing, rows = int((~panel[0].known).sum()), len(panel[0].known)
        apart = 2 * missing * (rows - missing) / rows  # rows that lack one of two columns, were they unrelated
        if len(panel) > 1 and apart >= LEAST_EXPECTED:
            yield tuple(column.name for column in panel), missing
