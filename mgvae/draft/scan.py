"""Scan the columns of an extract: distinct values, and which row holds which."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from mgvae.arrays import IntArray
from mgvae.config.dictionary import canonical
from mgvae.config.formats import NUMBER
from mgvae.draft.nulls import shared_codes
from mgvae.errors import ExtractError
from mgvae.extract import cells
from mgvae.extract.csv_layout import layout_of, separator_of
from mgvae.extract.days import DAY
from mgvae.extract.formats import batches, common, header, place, refuse_row, row_instead
from mgvae.extract.parts import Part, find_parts

DATE = re.compile(DAY)
Stored = Literal["text", "number", "date", "other"]


@dataclass(frozen=True, eq=False)
class Seen:
    """One column as it was found.

    Attributes:
        name: its name.
        values: the distinct values in canonical spelling; empty cells are none.
        codes: position in ``values`` of each row's value, ``(n,)``; -1 where the cell is empty.
        stored: how the file stores them; a CSV stores text. "other" is what no kind of column can hold, such as lists.
        alike: how many of the values come in several spellings that look alike.
        shared: numbers that look like codes for "missing" in several columns of the extract.
    """

    name: str
    values: tuple[str, ...]
    codes: IntArray
    stored: Stored = "text"
    alike: int = 0
    shared: tuple[float, ...] = ()

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
        separator: of CSV files, where it is another than their name says.
        encoding: of CSV files, where they are not UTF-8.
        remarks: what a person must know of the files.
    """

    label: str
    rows: int
    columns: tuple[Seen, ...]
    nameless: int
    separator: str | None = None
    encoding: str | None = None
    remarks: tuple[str, ...] = ()


def look_at(extract: str) -> Look:
    """Return the content of an extract's columns, all read into memory.

    Args:
        extract: path, glob or fsspec URL, CSV or Parquet.
    Raises:
        ExtractError: it cannot be found or read, has no rows, or its first line is a row.
    """
    parts = _laid_out(find_parts(extract))
    read = [header(part) for part in parts]
    headers = [one.names for one in read]
    if parts[0].is_text and headers[0] != [*map(str, range(len(headers[0])))]:  # counted columns are names
        refuse_row(parts[0], headers[0])
    found = common(parts, headers)
    named = [name for name in found if name]
    pieces: dict[str, list[pd.Series]] = {name: [] for name in named}
    stored: dict[str, set[Stored]] = {name: set() for name in named}
    odd: dict[str, set[str]] = {name: set() for name in named}
    for part, names in zip(parts, headers, strict=True):
        for batch in batches(part, names, named):
            for name in named:
                pieces[name].append(cells.levels(batch[name], ()))
                stored[name].add(_stored(batch[name].type))
                odd[name] |= cells.oddly_spelt(batch[name])
    columns = tuple(_seen(name, pieces[name], stored[name], odd[name]) for name in named)
    if not columns or not len(columns[0]):
        raise ExtractError(f"{place(parts)}: must have at least one row; it has a header and no rows. Export it again.")
    _refuse_values(columns, label=place(parts))
    shared = shared_codes((seen.values, seen.counts) for seen in columns)
    return Look(
        label=place(parts),
        rows=len(columns[0]),
        columns=tuple(replace(seen, shared=shared) for seen in columns),
        nameless=len(found) - len(named),
        separator=parts[0].separator,
        encoding=parts[0].encoding,
        remarks=tuple(remark for one in read for remark in one.remarks),
    )


def _refuse_values(columns: Sequence[Seen], *, label: str) -> None:
    """Refuse names of which most that are no numbers are dates, or values of their own columns."""
    words = [column for column in columns if NUMBER.fullmatch(column.name) is None]
    again = sum(
        DATE.fullmatch(column.name) is not None or (len(column.values) > 1 and column.name in column.values) for column in words
    )
    if again > max(1, len(words) // 2):
        raise row_instead(label, len(columns), "numbers, dates or values that their columns hold again")


def _laid_out(parts: Sequence[Part]) -> list[Part]:
    """Return parts with the separator and the encoding that the first one shows."""
    if not parts[0].is_text:
        return list(parts)
    layout = layout_of(parts[0])
    separator = None if layout.separator == separator_of(parts[0]) else layout.separator
    encoding = next((found for part in parts if (found := layout_of(part).encoding)), None)
    return [part.laid_out(separator, encoding) for part in parts]


def _seen(name: str, pieces: Sequence[pd.Series], stored: set[Stored], odd: set[str]) -> Seen:
    if not pieces:
        return Seen(name, (), np.zeros(0, dtype=np.int64))
    codes, values = pd.factorize(pd.concat(pieces, ignore_index=True), sort=True)
    kind: Stored = next(iter(stored)) if len(stored) == 1 else "other" if "other" in stored else "text"
    spellings = Counter(canonical(text) for text in odd | set(values))
    return Seen(name, tuple(map(str, values)), codes.astype(np.int64), kind, sum(count > 1 for count in spellings.values()))


def _stored(kind: Any) -> Stored:
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    stored = cells.stored_kind(plain)
    return "text" if pa.types.is_null(plain) else "number" if stored == "boolean" else stored
