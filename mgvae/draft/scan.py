"""Scan the columns of an extract: distinct values, and which row holds which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from mgvae.arrays import IntArray
from mgvae.errors import ExtractError
from mgvae.extract import cells
from mgvae.extract.formats import batches, common, header, place, refuse_row
from mgvae.extract.parts import find_parts

Stored = Literal["text", "number", "date", "other"]


@dataclass(frozen=True, eq=False)
class Seen:
    """One column as it was found.

    Attributes:
        name: its name.
        values: the distinct values in canonical spelling; empty cells are none.
        codes: position in ``values`` of each row's value, ``(n,)``; -1 where the cell is empty.
        stored: how the file stores them; a CSV stores text. "other" is what no kind of column can hold, such as lists.
    """

    name: str
    values: tuple[str, ...]
    codes: IntArray
    stored: Stored = "text"

    @cached_property
    def counts(self) -> IntArray:
        """How many rows hold each value, ``(values,)``."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Look:
    """What was found in an extract.

    Attributes:
        label: the name of the extract in messages.
        rows: how many rows it has.
        columns: in the order of the files; columns without a name are left out.
        nameless: how many those are.
    """

    label: str
    rows: int
    columns: tuple[Seen, ...]
    nameless: int


def look_at(extract: str) -> Look:
    """Return the content of an extract's columns, all read into memory.

    Args:
        extract: path, glob or fsspec URL, CSV or Parquet.
    Raises:
        ExtractError: it cannot be found or read, has no rows, or its first line is a row.
    """
    parts = find_parts(extract)
    headers = [header(part) for part in parts]
    if parts[0].format != "parquet" and headers[0] != [*map(str, range(len(headers[0])))]:  # counted columns are names
        refuse_row(parts[0], headers[0])
    found = common(parts, headers)
    named = [name for name in found if name]
    pieces: dict[str, list[pd.Series]] = {name: [] for name in named}
    stored: dict[str, set[Stored]] = {name: set() for name in named}
    for part, names in zip(parts, headers, strict=True):
        for batch in batches(part, names, named):
            for name in named:
                pieces[name].append(cells.levels(batch[name], ()))
                stored[name].add(_stored(batch[name].type))
    columns = tuple(_seen(name, pieces[name], stored[name]) for name in named)
    if not columns or not len(columns[0]):
        raise ExtractError(f"{place(parts)}: must have at least one row; it has a header and no rows. Export it again.")
    return Look(place(parts), len(columns[0]), columns, len(found) - len(named))


def _seen(name: str, pieces: Sequence[pd.Series], stored: set[Stored]) -> Seen:
    if not pieces:
        return Seen(name, (), np.zeros(0, dtype=np.int64))
    codes, values = pd.factorize(pd.concat(pieces, ignore_index=True), sort=True)
    kind: Stored = next(iter(stored)) if len(stored) == 1 else "other" if "other" in stored else "text"
    return Seen(name, tuple(str(value) for value in values), codes.astype(np.int64), kind)


def _stored(kind: Any) -> Stored:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    stored = cells.stored_kind(plain)
    return "text" if pa.types.is_null(plain) else "number" if stored == "boolean" else stored
