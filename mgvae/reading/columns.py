"""The columns of an extract as they are stored: their names, and their cells in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from mgvae.errors import ExtractError
from mgvae.reading.cells import NUMBER
from mgvae.reading.csvfile import csv_batches, csv_header
from mgvae.reading.parquetfile import parquet_batches, parquet_header, parquet_kinds
from mgvae.reading.parts import Part
from mgvae.strict import nearest

NO_NAMES = ("", "?", ".", "NA", "N/A", "NULL", "NaN")


def place(parts: Sequence[Part]) -> str:
    """Return what messages call the extract: the file, or the first of several and how many more."""
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    return parts[0].shown + more


def header(part: Part) -> list[str]:
    """Return the column names of a part, those that its folder names carry at the end.

    Raises:
        ExtractError: the part cannot be read, or a name occurs twice.
    """
    names = parquet_header(part) if part.format == "parquet" else csv_header(part)
    names = [*names, *(key for key, _ in part.keys if key not in names)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice and looks_like_a_row(names):  # then the doubled "names" are a patient's values
        raise ExtractError(no_header(part, names))
    if twice:
        shown = ", ".join(name or "(no name)" for name in twice)
        raise ExtractError(f"{part.shown}: each column must have its own name; named more than once: {shown}. Rename them.")
    return names


def stored(part: Part, names: Sequence[str]) -> dict[str, str]:
    """Return how a part stores each of its columns ``names``: number, text, date, boolean or other. CSV stores text."""
    kinds = parquet_kinds(part) if part.format == "parquet" else {}
    return {name: kinds.get(name, "text") for name in names}


def looks_like_a_row(names: Sequence[str]) -> bool:
    """Return whether most of the fields in the first line are numbers or empty, which names are not."""
    odd = sum(name in NO_NAMES or NUMBER.fullmatch(name) is not None for name in names)
    return 2 * odd > len(names)


def no_header(part: Part, names: Sequence[str]) -> str:
    """Return the message for a file whose first line seems to be a row; it quotes nothing of that line."""
    return (
        f"{part.shown}: the first line must name the columns; most of its {len(names)} fields are numbers or empty, so it "
        f"seems to be a row. Put a line with the columns' names before it."
    )


def common(parts: Sequence[Part], headers: Sequence[Sequence[str]]) -> list[str]:
    """Return the column names that all parts have.

    Raises:
        ExtractError: the parts differ.
    """
    first = headers[0]
    for part, names in zip(parts, headers, strict=True):
        differing = sorted(set(first) ^ set(names))
        if differing:
            raise ExtractError(
                f"{part.shown}: all parts must have the same columns; this one and {parts[0].shown} "
                f"differ in {len(differing)}: {', '.join(differing[:5])}. Export the parts again with the same columns."
            )
    return list(first)


def similar(name: str, found: Sequence[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the column most like ``name``, or an empty string."""
    same = [other for other in found if other.lower() == name.lower()]
    return f" Did you mean '{same[0]}'?" if same else nearest(name, found)


def batches(part: Part, names: Sequence[str], wanted: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the wanted columns as Arrow arrays, those that folder names carry among them.

    Args:
        part: a file of the extract.
        names: its `header`.
        wanted: which of them.
    """
    keys = dict(part.keys)
    stored = [name for name in wanted if name not in keys]
    own = [name for name in names if name not in keys]
    read = parquet_batches(part, stored) if part.format == "parquet" else csv_batches(part, own, stored)
    for batch in read:
        columns = {name: batch.column(name) for name in stored}
        columns |= {name: pa.array([keys[name]] * batch.num_rows, pa.string()) for name in wanted if name in keys}
        yield columns
