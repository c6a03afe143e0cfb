"""Rows whose predictors lie in files, a file a column: a process reads only the rows that it works on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.arrays import Array, FloatArray, IntArray
from mgvae.cohort.column_reader import read_columns
from mgvae.cohort.rows import BLOCK, Labelled, Rows

KEPT = ((1 << 15, 1 << 11), (1 << 18, 1 << 8))  # bytes of a file, number of them in memory: tables of few rows have many


@dataclass(frozen=True)
class StoredTable:
    """A typed table in files.

    Attributes:
        folder: holds ``0.npy``, ``1.npy`` and so on, a column each; of levels the codes.
        columns: name of each column -> the number of its file, and its levels; None for numbers.
    """

    folder: Path
    columns: Mapping[str, tuple[int, pd.CategoricalDtype | None]]

    def only(self, name: str) -> StoredTable:
        """Return the table of one column: to a worker that reads no other, the levels of all would be sent."""
        return StoredTable(self.folder, {name: self.columns[name]})

    def take(self, positions: IntArray) -> pd.DataFrame:
        """Return the rows at ``positions``, ``(n,)``, renumbered from 0."""
        taken: dict[str, object] = {}
        for name, (place, levels) in self.columns.items():
            values = _values(self.folder / f"{place}.npy")[positions]
            taken[name] = values if levels is None else pd.Categorical.from_codes(values, dtype=levels, validate=False)
        return pd.DataFrame(taken, index=pd.RangeIndex(len(positions)), copy=False)


@dataclass(frozen=True)
class StoredRows(Labelled):
    """N rows, of which only outcome, group and weight are in memory.

    Attributes:
        table: holds the predictors.
        at: each row's place in ``table``, ``(N,)``.
        event, group, weight: see `mgvae.cohort.rows.Rows`.
    """

    table: StoredTable
    at: IntArray
    event: IntArray
    group: IntArray
    weight: FloatArray | None = None

    @property
    def features(self) -> pd.DataFrame:
        """The predictors of all rows, read anew each time."""
        return self.table.take(self.at)

    def take(self, positions: IntArray) -> Rows:
        """Return the rows at ``positions``, read from the files, renumbered from 0."""
        part = self.part(positions)
        return Rows(self.table.take(part.at), part.event, part.group, part.weight)

    def part(self, positions: IntArray) -> StoredRows:
        """Return the rows at ``positions``, renumbered from 0; nothing is read."""
        weight = None if self.weight is None else self.weight[positions]
        return StoredRows(self.table, self.at[positions], self.event[positions], self.group[positions], weight)

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Yield the predictors, some rows at a time; at least one block."""
        for start in range(0, max(len(self), 1), BLOCK):
            yield self.table.take(self.at[start : start + BLOCK])

    def columns(self) -> Iterator[pd.DataFrame]:
        """Yield each predictor as a table of one column."""
        for name in self.table.columns:
            yield self.table.only(name).take(self.at)


AnyRows = Rows | StoredRows


def _read(file: Path, *version: int) -> Array:
    """Return a column, read once for each version of its file."""
    return np.asarray(np.load(file))


_READERS = tuple((size, lru_cache(maxsize=number)(_read)) for size, number in KEPT)


def _values(file: Path) -> Array:
    """Return a column in a file; a large one is mapped anew each time, so that pages that were read do not add up."""
    found = file.stat()
    kept = next((read for size, read in _READERS if found.st_size <= size), None)
    return kept(file, found.st_ino, found.st_mtime_ns) if kept else np.load(file, mmap_mode="r")


def stored_rows(table: StoredTable, at: IntArray, labels: Labelled) -> StoredRows:
    """Return rows whose predictors stand at places ``at`` of a table, ``(N,)``, with their outcome, group and weight."""
    return StoredRows(table, at, labels.event, labels.group, labels.weight)


def store_table(source: Path, folder: Path) -> StoredTable:
    """Copy a Parquet file of a typed table into files of columns; one is in memory at a time.

    Args:
        source: numbers and categories, as `mgvae.cohort.files.save_cohort` writes them.
        folder: is there and empty.
    """
    columns: dict[str, tuple[int, pd.CategoricalDtype | None]] = {}
    for place, (name, column) in enumerate(read_columns(source)):
        levels = column.dtype if isinstance(column.dtype, pd.CategoricalDtype) else None
        np.save(folder / f"{place}.npy", column.to_numpy() if levels is None else column.cat.codes.to_numpy())
        columns[name] = place, levels
    return StoredTable(folder, columns)


def joined(first: AnyRows, second: AnyRows) -> AnyRows:
    """Return rows of one table below others of it; groups keep their numbers."""
    event, group = (np.concatenate(pair) for pair in ((first.event, second.event), (first.group, second.group)))
    weight = None if first.weight is None or second.weight is None else np.concatenate([first.weight, second.weight])
    if isinstance(first, StoredRows) and isinstance(second, StoredRows):
        return StoredRows(first.table, np.concatenate([first.at, second.at]), event, group, weight)
    if isinstance(first, Rows) and isinstance(second, Rows):
        return Rows(pd.concat([first.features, second.features], ignore_index=True), event, group, weight)
    raise TypeError("Rows that are joined must both be stored, or both be in memory.")
