"""Parquet parts, read in batches; only the columns asked for leave the disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyarrow import parquet, types

from mgvae.errors import ExtractError
from mgvae.reading.parts import Part

ROWS = 1 << 17
MAGIC = b"PAR1"


def parquet_header(part: Part) -> list[str]:
    """Return the column names.

    Raises:
        ExtractError: the file is empty, is no Parquet, or its end is missing.
    """
    with part.open() as file:
        _check_ends(part, file)
        return [str(name) for name in parquet.ParquetFile(file).schema_arrow.names]


def parquet_kinds(part: Part) -> dict[str, str]:
    """Return what each column is stored as: number, text, date, boolean or other.

    Raises:
        ExtractError: the file is damaged.
    """
    with part.open() as file:
        return {str(field.name): _kind(field.type) for field in parquet.ParquetFile(file).schema_arrow}


def parquet_batches(part: Part, columns: Sequence[str]) -> Iterator[Any]:
    """Yield Arrow record batches of ``columns`` in their stored types.

    Raises:
        ExtractError: the file is damaged.
    """
    with part.open() as file:
        yield from parquet.ParquetFile(file).iter_batches(batch_size=ROWS, columns=list(columns))


def _kind(stored: Any) -> str:
    plain = stored.value_type if types.is_dictionary(stored) else stored
    if types.is_boolean(plain):
        return "boolean"
    if types.is_integer(plain) or types.is_floating(plain) or types.is_decimal(plain):
        return "number"
    if types.is_date(plain) or types.is_timestamp(plain):
        return "date"
    return "text" if types.is_string(plain) or types.is_large_string(plain) or types.is_string_view(plain) else "other"


def _check_ends(part: Part, file: Any) -> None:
    first = file.read(len(MAGIC))
    size = file.seek(0, 2)
    file.seek(max(size - len(MAGIC), 0))
    last = file.read(len(MAGIC))
    file.seek(0)
    if size == 0:
        raise ExtractError(f"{part.shown}: must hold at least one row; the file is empty. Export it again.")
    if first != MAGIC:
        raise ExtractError(f"{part.shown}: must be Parquet, as its name says; it is not. Export it again or mend its name.")
    if last != MAGIC or size < 3 * len(MAGIC):
        raise ExtractError(
            f"{part.shown}: the file is cut off: the end of a Parquet file is missing. Copy it again from its source."
        )
