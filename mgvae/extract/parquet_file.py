"""Read Parquet files in batches, bounded: a small one may unpack to more than any memory holds."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute, parquet

from mgvae.config.formats import plain_name
from mgvae.errors import ExtractError
from mgvae.extract.bounds import check_cell, check_size
from mgvae.extract.parts import Part

ROWS = 1 << 17
MAGIC = b"PAR1"
WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT96": 12}  # bytes of a value in memory; of a text, 8 of its place
TEXTS = (pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view())
INSTEAD = "export it in several files"


def parquet_header(part: Part) -> list[str]:
    """Return the column names of a Parquet file.

    Raises:
        ExtractError: it is empty, cut off or of another kind.
    """
    with part.open() as file:
        _check_ends(part, file)
        return [str(name) for name in parquet.ParquetFile(file).schema_arrow.names]


def parquet_schema(part: Part) -> Any:
    """Return the Arrow schema of a Parquet file."""
    with part.open() as file:
        return parquet.ParquetFile(file).schema_arrow


def parquet_batches(part: Part, columns: Sequence[str]) -> Iterator[Any]:
    """Yield record batches of columns, given by their plain names.

    Texts are read as the dictionaries that files hold: a long text that stands in a million rows is there once, until it is
    known how much all of them are.

    Raises:
        ExtractError: the columns unpack beyond measure, or a cell is longer than any table's.
    """
    with part.open() as file:
        packed = _size(file)
        table = parquet.ParquetFile(file)
        schema = table.schema_arrow  # made anew at each call
        names = [str(name) for name in schema.names]
        raw = {plain_name(name): name for name in names}
        wanted = [raw[name] for name in columns]
        check_size(_declared(table.metadata, {*wanted}), packed, part.label, instead=INSTEAD)
        texts = [name for name in wanted if _is_text(schema.field(name).type)]
        unpacked = 0
        for batch in parquet.ParquetFile(file, read_dictionary=texts).iter_batches(batch_size=ROWS, columns=wanted):
            unpacked += sum(_measured(batch.column(name), part, names.index(name)) for name in wanted)
            check_size(unpacked, packed, part.label, instead=INSTEAD)
            for place, name in enumerate(batch.schema.names):
                if name in texts and pa.types.is_dictionary(batch.column(place).type):
                    batch = batch.set_column(place, name, batch.column(place).dictionary_decode())
            yield batch.rename_columns([plain_name(str(name)) for name in batch.schema.names])


def _declared(about: Any, wanted: set[str]) -> int:
    """Return the bytes that columns have in memory, as far as the file says."""
    total = 0
    widths = [_width(about.schema.column(place)) for place in range(about.num_columns)]
    for group in map(about.row_group, range(about.num_row_groups)):
        for place, width in enumerate(widths):
            chunk = group.column(place)
            if chunk.path_in_schema.split(".")[0] in wanted or chunk.path_in_schema in wanted:
                total += max(chunk.total_uncompressed_size, chunk.num_values * width)
    return total


def _width(column: Any) -> int:
    return int(column.length) if column.physical_type == "FIXED_LEN_BYTE_ARRAY" else WIDTHS.get(column.physical_type, 8)


def _is_text(stored: Any) -> bool:
    return stored in TEXTS


def _measured(cells: Any, part: Part, place: int) -> int:
    """Return the bytes of cells without their dictionary.

    Raises:
        ExtractError: one is longer than any table's.
    """
    if not pa.types.is_dictionary(cells.type):
        return int(cells.nbytes)
    values = cells.dictionary
    if not _is_text(values.type):
        return int(values.nbytes) + 8 * len(cells)
    lengths = compute.binary_length(values).take(cells.indices)
    check_cell(compute.max(lengths).as_py() or 0, part.label, at=f"one of column {place + 1}")
    return (compute.sum(lengths).as_py() or 0) + 8 * len(cells)


def _size(file: Any) -> int:
    size = int(file.seek(0, io.SEEK_END))
    file.seek(0)
    return size


def _check_ends(part: Part, file: Any) -> None:
    first = file.read(len(MAGIC))
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - len(MAGIC), 0))
    last = file.read(len(MAGIC))
    file.seek(0)
    if size == 0:
        raise ExtractError(f"{part.label}: must hold at least one row; the file is empty. Export it again.")
    if first != MAGIC:
        raise ExtractError(f"{part.label}: must be Parquet, as its name says; it is not. Export it again or correct its name.")
    if last != MAGIC or size < 3 * len(MAGIC):
        raise ExtractError(
            f"{part.label}: the file is cut off: the end of a Parquet file is missing. Copy it again from its source."
        )
