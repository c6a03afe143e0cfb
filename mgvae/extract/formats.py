"""Read names, storage types and cells of columns in CSV and Parquet parts."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from mgvae.config.formats import NUMBER, plain_name
from mgvae.errors import ExtractError
from mgvae.extract.cells import stored_kind
from mgvae.extract.csv_file import csv_batches, csv_header
from mgvae.extract.csv_layout import first_rows
from mgvae.extract.parquet_file import parquet_batches, parquet_header, parquet_schema
from mgvae.extract.parts import Part
from mgvae.extract.statistics_file import READERS, statistics_batch, statistics_header

NO_NAMES = ("", "?", ".", "NA", "N/A", "NULL", "NaN")
LISTED = 5


def place(parts: Sequence[Part]) -> str:
    """Return the name of the extract for messages: its first file, and how many more."""
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    return parts[0].label + more


class Header(NamedTuple):
    """The column names of a part; those in folder names come last.

    Attributes:
        names: in plain text: letters that look alike are one letter, blanks are single.
        remarks: what a person must know of the file.
    """

    names: list[str]
    remarks: tuple[str, ...]


def header(part: Part, known: Collection[str] = ()) -> Header:
    """Return the column names of a part, and remarks on its file.

    Args:
        part: a file of the extract.
        known: names that messages may quote. Any other text of a first line may be a patient's.
    Raises:
        ExtractError: the part cannot be read, or a name occurs twice.
    """
    found, remarks = csv_header(part) if part.is_text else (_binary_header(part), ())
    names = [plain_name(name) for name in found]
    names = [*names, *(plain_name(key) for key, _ in part.keys if plain_name(key) not in names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        refuse_row(part, names)  # then the doubled "names" are a patient's values
        doubled = located(twice, names, known)
        alike = " (letters and blanks that look alike count as the same)" if len(set(found)) > len(set(names)) else ""
        raise ExtractError(
            f"{part.label}: each column must have its own name; named more than once: {doubled}{alike}. Rename them."
        )
    return Header(names, remarks)


def stored(part: Part, names: Sequence[str]) -> dict[str, str]:
    """Return how columns are stored: number, text (all CSV), date, boolean or other."""
    if part.is_text:
        return dict.fromkeys(names, "text")
    schema = statistics_batch(part, statistics_header(part)).schema if part.format in READERS else parquet_schema(part)
    kinds = {plain_name(str(field.name)): stored_kind(field.type) for field in schema}
    return {name: kinds.get(name, "text") for name in names}


def refuse_row(part: Part, names: Sequence[str]) -> None:
    """Refuse a first line that seems to be a row, without quoting it.

    Raises:
        ExtractError: most of its fields are numbers or empty, and no word in it stands over a column of numbers.
    """
    odd = [_odd(name) for name in names]
    if 2 * sum(odd) <= len(names) or (part.is_text and _heads_numbers(first_rows(part), odd)):
        return
    raise row_instead(part.label, len(names), "numbers or empty")


def row_instead(label: str, fields: int, seen: str) -> ExtractError:
    """Return the error of a first line that seems to be a row."""
    return ExtractError(
        f"{label}: the first line must name the columns; most of its {fields} fields are {seen}, so it seems to be a row. Put "
        f"a line with the columns' names before it."
    )


def _odd(field: str) -> bool:
    return field.strip() in NO_NAMES or NUMBER.fullmatch(field.strip()) is not None


def _heads_numbers(rows: Sequence[Sequence[str]], odd: Sequence[bool]) -> bool:
    """Return whether a word of the first row stands over nothing but numbers."""
    below = [row for row in rows[1:] if len(row) == len(odd)]
    return bool(below) and any(not odd[place] and all(_odd(row[place]) for row in below) for place in range(len(odd)))


def located(names: Collection[str], line: Sequence[str], known: Collection[str]) -> str:
    """Return known names as they are, and the others by their place in a first line."""
    quoted = sorted({name for name in names if name in known})
    places = [str(at) for at, name in enumerate(line, start=1) if name in names and name not in known]
    more = f" and {len(places) - LISTED:,} more" if len(places) > LISTED else ""
    word = "column" if len(places) == 1 else "columns"
    return ", ".join([*quoted, *([f"{word} {', '.join(places[:LISTED])}{more}"] if places else [])])


def common(parts: Sequence[Part], headers: Sequence[Sequence[str]], known: Collection[str] = ()) -> list[str]:
    """Return the column names that all parts have.

    Args:
        parts: the files.
        headers: of each, its `header`.
        known: names that messages may quote.
    Raises:
        ExtractError: the parts differ.
    """
    first = headers[0]
    for part, names in zip(parts, headers, strict=True):
        missing, surplus = set(first) - set(names), set(names) - set(first)
        if missing or surplus:
            sides = ((parts[0], missing, first), (part, surplus, names))
            found = "; ".join(f"{located(only, line, known)} only in {one.label}" for one, only, line in sides if only)
            raise ExtractError(
                f"{part.label}: all parts must have the same columns; this one and {parts[0].label} "
                f"differ in {len(missing | surplus)}: {found}. Export the parts again with the same columns, each with a first "
                "line that names them."
            )
    return list(first)


def similar(name: str, found: Sequence[str]) -> str:
    """Return which column of a first line may be meant; the line's own text is not quoted.

    Args:
        name: a name that is absent.
        found: the first line. A name that differs from ``name`` in upper and lower case alone is quoted.
    """
    same = [other for other in found if other.lower() == name.lower()]
    if same:
        return f" Did you mean '{same[0]}'?"
    close = difflib.get_close_matches(name, found, n=1, cutoff=0.5)
    return f" Did you mean column {found.index(close[0]) + 1}, whose name is similar?" if close else ""


def batches(part: Part, names: Sequence[str], wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the wanted columns as Arrow arrays, those in folder names included.

    Args:
        part: a file of the extract.
        names: its `header`.
        wanted: which of them.
    """
    keys = {plain_name(name): value for name, value in part.keys}
    stored = [name for name in wanted if name not in keys]
    own = [name for name in names if name not in keys]
    read = csv_batches(part, own, stored) if part.is_text else _binary_batches(part, stored)
    for batch in read:
        columns = {name: batch.column(name) for name in stored}
        columns |= {name: pa.array([keys[name]] * batch.num_rows, pa.string()) for name in wanted if name in keys}
        yield columns


def _binary_header(part: Part) -> list[str]:
    return statistics_header(part) if part.format in READERS else parquet_header(part)


def _binary_batches(part: Part, columns: Sequence[str]) -> Iterator[Any]:
    if part.format not in READERS:
        yield from parquet_batches(part, columns)
        return
    raw = {plain_name(name): name for name in statistics_header(part)}
    yield statistics_batch(part, [raw[name] for name in columns]).rename_columns(list(columns))
