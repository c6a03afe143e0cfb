"""Read CSV parts as text in batches; a row that misfits the header is an error."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from mgvae.errors import ExtractError
from mgvae.extract.parts import BLOCK, Part

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def csv_header(part: Part) -> list[str]:
    """Return the column names in the first line, blanks around them removed.

    Raises:
        ExtractError: the file is empty, not UTF-8, cut off inside a line, or separated by another character than its name says.
    """
    _scan(part)
    with part.open() as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        line = next((line for line in text if line.strip()), "")
        _check_delimiter(part, line)
        names = next(csv.reader(chain([line], text), delimiter=_delimiter(part)), [])
        text.detach()
    return [name.strip() for name in names]


def csv_batches(part: Part, header: Sequence[str], columns: Sequence[str]) -> Iterator[Any]:
    """Yield Arrow record batches of ``columns``, all text, empty cells as empty text.

    Raises:
        ExtractError: a row has more or fewer fields than the header.
    """
    misfits = _Misfits()
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), include_columns=list(columns), strings_can_be_null=False
    )
    parse = arrow_csv.ParseOptions(delimiter=_delimiter(part), newlines_in_values=True, invalid_row_handler=misfits.note)
    read = arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=list(header), skip_rows_after_names=1)
    with part.open() as file:
        reader = arrow_csv.open_csv(_without_bom(file), read_options=read, parse_options=parse, convert_options=convert)
        yield from reader
    if misfits.count:
        raise ExtractError(_misfit(part, misfits, fields=len(header)))


class _Misfits:
    """Count rows with more or fewer fields than the header; keep none of their text."""

    def __init__(self) -> None:
        self.count = 0
        self.row = 0
        self.fields = 0

    def note(self, row: Any) -> str:
        if not self.count:
            self.row, self.fields = int(row.number or 0), int(row.actual_columns)
        self.count += 1
        return "skip"


def _misfit(part: Part, misfits: _Misfits, *, fields: int) -> str:
    rows = "row does" if misfits.count == 1 else "rows do"
    hint = (
        "Put cells that hold the separator into double quotes."
        if misfits.fields > fields
        else "The file may be cut off: copy it again from its source."
    )
    return (
        f"{part.label}: every row must have {fields} fields, as the header has; {misfits.count} {rows} not, "
        f"the first is row {misfits.row} (the header is row 1) with {misfits.fields}. {hint}"
    )


def _delimiter(part: Part) -> str:
    return "\t" if part.format == "tsv" else ","


def _check_delimiter(part: Part, line: str) -> None:
    own = _delimiter(part)
    found = max(DELIMITERS, key=lambda delimiter: (line.count(delimiter), delimiter == own))
    if found != own:
        raise ExtractError(
            f"{part.label}: columns must be separated by {DELIMITERS[own]}; the header is separated by {DELIMITERS[found]}. "
            f"Save the file with {DELIMITERS[own]} between columns."
        )


def _without_bom(file: Any) -> Any:
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    return file


def _scan(part: Part) -> None:
    """Read all bytes once and refuse what a parser would misread silently."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    size, lines, quotes, last = 0, 0, 0, b""
    with part.open() as file:
        while block := file.read(BLOCK):
            _check_text(part, block, decoder, before=size, lines=lines)
            size, lines = size + len(block), lines + block.count(b"\n")
            quotes, last = quotes + block.count(b'"'), block[-1:]
    if decoder.getstate()[0]:
        raise ExtractError(f"{part.label}: the file is cut off in the middle of a character. Copy it again from its source.")
    if size <= len(codecs.BOM_UTF8):
        raise ExtractError(f"{part.label}: must hold a header and at least one row; the file is empty. Export it again.")
    if quotes % 2:
        _check_quotes(part)
    if last not in b"\r\n":
        raise ExtractError(
            f"{part.label}: the last line must end with a line break, or a file cut off in the middle could not be told from a "
            f"whole one; line {lines + 1} has none. Copy it again from its source; if it is complete, add a line break."
        )


def _check_text(part: Part, block: bytes, decoder: codecs.IncrementalDecoder, *, before: int, lines: int) -> None:
    if before == 0 and block.startswith(UTF16):
        raise ExtractError(f"{part.label}: must be UTF-8 text; it is UTF-16. Save it as UTF-8.")
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(block)
    except UnicodeDecodeError as error:
        at = before - pending + error.start
        line = lines + 1 + block[: max(error.start - pending, 0)].count(b"\n")
        raise ExtractError(f"{part.label}: must be UTF-8 text; byte {at} (line {line}) is not. Save it as UTF-8.") from None
    if b"\0" in block:
        raise ExtractError(
            f"{part.label}: must be text; it holds NUL bytes, so it is damaged or no CSV. Copy it again from its source."
        )


def _check_quotes(part: Part) -> None:
    """Refuse an open quote: a parser would take the rest of the file for a cell."""
    with part.open() as file:
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        reader, begun = csv.reader(text, delimiter=_delimiter(part), strict=True), 1
        try:
            for _ in reader:
                begun = reader.line_num + 1
        except csv.Error as error:
            if "expected after" not in str(error):
                raise ExtractError(
                    f"{part.label}: a quoted cell must be closed; the one in the row that begins at line {begun} is not. "
                    f"The file may be cut off: copy it again from its source."
                ) from None
        finally:
            text.detach()
