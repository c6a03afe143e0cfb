"""Rows whose predictors lie in files, a file a column: a process reads only the rows that it works on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd

from mgvae.arrays import Array, FloatArray, IntArray
from mgvae.cohort.column_reader import read_columns
from mgvae.cohort.rows import BLOCK, Labelled, Rows

SMALL = 1 << 18  # bytes of a file that stays in memory: a fit takes rows of each column twice
ROOM = 1 << 26  # bytes of all that stay


@dataclass(frozen=True)
class StoredTable:
    """A typed table in files.

    Attributes:
        folder: holds ``0.npy``, ``1.npy`` and so on, a column each; of levels the codes.
        columns: name of each column -> its levels; None for numbers.
    """

    folder: Path
    columns: Mapping[str, pd.CategoricalDtype | None]

    def take(self, positions: IntArray, names: Collection[str] | None = None) -> pd.DataFrame:
        """Return the rows at ``positions``, ``(n,)``, renumbered from 0; of all columns, or of those named."""
        taken: dict[str, object] = {}
        for place, (name, levels) in enumerate(self.columns.items()):
            if names is not None and name not in names:
                continue
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
            yield self.table.take(self.at, [name])


AnyRows = Rows | StoredRows


class ColumnCache:
    """Columns of small files, read once for each version of the file; those used last stay.

    Their bytes are bounded, not their number: a table of few rows has many columns, and each fit goes through all of them.
    """

    def __init__(self, room: int) -> None:
        self.room, self.taken = room, 0
        self.columns: OrderedDict[tuple[Path, int, int], Array] = OrderedDict()
        self.lock = Lock()

    def read(self, file: Path, inode: int, modified: int) -> Array:
        """Return the column in a file."""
        version = (file, inode, modified)
        with self.lock:
            if version in self.columns:
                self.columns.move_to_end(version)
                return self.columns[version]
            column = self.columns[version] = np.asarray(np.load(file))
            self.taken += column.nbytes
            while self.taken > self.room:
                self.taken -= self.columns.popitem(last=False)[1].nbytes
            return column


_cache = ColumnCache(ROOM)


def _values(file: Path) -> Array:
    """Return a column in a file; a large one is mapped anew each time, so that pages that were read do not add up."""
    found = file.stat()
    return np.load(file, mmap_mode="r") if found.st_size > SMALL else _cache.read(file, found.st_ino, found.st_mtime_ns)


def stored_rows(table: StoredTable, at: IntArray, labels: Labelled) -> StoredRows:
    """Return rows whose predictors stand at places ``at`` of a table, ``(N,)``, with their outcome, group and weight."""
    return StoredRows(table, at, labels.event, labels.group, labels.weight)


def store_table(source: Path, folder: Path) -> StoredTable:
    """Copy a Parquet file of a typed table into files of columns; one is in memory at a time.

    Args:
        source: numbers and categories, as `mgvae.cohort.files.save_cohort` writes them.
        folder: is there and empty.
    """
    columns: dict[str, pd.CategoricalDtype | None] = {}
    for place, (name, column) in enumerate(read_columns(source)):
        levels = column.dtype if isinstance(column.dtype, pd.CategoricalDtype) else None
        np.save(folder / f"{place}.npy", column.to_numpy() if levels is None else column.cat.codes.to_numpy())
        columns[name] = levels
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
