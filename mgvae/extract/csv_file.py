"""Read CSV parts as text in batches; a row that misfits the header is an error."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute
from pyarrow import csv as arrow_csv

from mgvae.errors import ExtractError
from mgvae.extract.csv_layout import DELIMITERS, first_rows, likely_separator, opened, separator_of, unicode_of
from mgvae.extract.misfits import Misfits
from mgvae.extract.parts import BLOCK, Part

COPY = "Copy it again from its source"
COLUMN_BLOCK, MOST = 1 << 16, 1 << 26  # bytes parsed at a time for each column, as few rows cost as much as thousands; in all
UNENDED = "the last line has no line break; if the file was cut off within its last cell, that cell is wrong"


def csv_header(part: Part) -> tuple[list[str], tuple[str, ...]]:
    """Return the column names in the first line, and remarks on the file.

    Raises:
        ExtractError: the file is empty, not in its encoding, cut off inside a quoted cell, or separated by another character.
    """
    ended = _scan(part)
    _check_delimiter(part)
    rows = first_rows(part)
    names = rows[0] if rows else []
    if not any(name.strip() for name in names):
        raise ExtractError(f"{part.label}: must hold a header and at least one row; all its lines are empty. Export it again.")
    _check_first_rows(part, rows)
    return names, () if ended else (f"{part.label}: {UNENDED}. Check that it is complete.",)


def csv_batches(part: Part, header: Sequence[str], columns: Sequence[str]) -> Iterator[Any]:
    """Yield Arrow record batches of ``columns``, all text, empty cells as empty text.

    Raises:
        ExtractError: a row has more or fewer fields than the header.
    """
    misfits, rows, size = Misfits(len(header)), 0, min(max(BLOCK, COLUMN_BLOCK * len(header)), MOST)
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(header, pa.string()), include_columns=list(columns), strings_can_be_null=False
    )
    parse = arrow_csv.ParseOptions(delimiter=separator_of(part), newlines_in_values=True, invalid_row_handler=misfits.note)
    read = arrow_csv.ReadOptions(use_threads=False, block_size=size, column_names=list(header), skip_rows_after_names=1)
    with opened(part) as file:
        for batch in arrow_csv.open_csv(file, read_options=read, parse_options=parse, convert_options=convert):
            rows += batch.num_rows
            _check_no_header(part, batch)
            yield _filled(batch)
    if misfits.count:
        raise ExtractError(f"{part.label}: {misfits.message(rows)}")


def _check_no_header(part: Part, batch: Any) -> None:
    """Refuse rows that repeat the header: files were joined, headers and all."""
    names, repeated = batch.schema.names, None
    for name in names:
        here = compute.equal(compute.utf8_trim_whitespace(batch.column(name)), name)
        repeated = here if repeated is None else compute.and_(repeated, here)
        if not compute.any(repeated).as_py():
            return
    if len(names) > 1:
        raise ExtractError(
            f"{part.label}: only the first line must name the columns; {compute.sum(repeated).as_py()} rows repeat the header, "
            f"as in files that were joined. Remove them."
        )


def _filled(batch: Any) -> Any:
    """Return the rows of a batch that hold anything at all."""
    filled = None
    for column in batch.columns:
        here = compute.not_equal(column, "")
        filled = here if filled is None else compute.or_(filled, here)
        if compute.all(filled).as_py():
            return batch
    return batch if filled is None else batch.filter(filled)


def _check_first_rows(part: Part, rows: Sequence[Sequence[str]]) -> None:
    """Refuse a header that fits none of the first rows: whatever it is, its names are no names of columns."""
    misfits = Misfits(len(rows[0]))
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(rows[0]):
            misfits.add(number, len(row))
    if misfits.count == len(rows) - 1 > 1:
        raise ExtractError(f"{part.label}: {misfits.message(0)}")


def _check_delimiter(part: Part) -> None:
    own, found = separator_of(part), likely_separator(part)
    if found == own:
        return
    named = DELIMITERS.get(own, f"'{own}'")
    remedy = f"Save the file with {named} between columns."
    written = "tab" if found == "\t" else f'"{found}"'
    raise ExtractError(
        f"{part.label}: columns must be separated by {named}; the header is separated by {DELIMITERS[found]}. "
        f"Write 'separator: {written}' into cohort.yaml (mgvae init does), or correct it there. {remedy}"
    )


def _scan(part: Part) -> bool:
    """Read all bytes once, and refuse what a parser would misread silently.

    Return whether the last line ends with a line break.
    """
    decoder = codecs.getincrementaldecoder(part.encoding or "utf-8")()
    size, lines, quotes, last = 0, 0, 0, ""
    misnamed = _Utf8() if part.encoding and not codecs.lookup(part.encoding).name.startswith("utf-8") else None
    with part.open() as file:
        while block := file.read(BLOCK):
            if misnamed is not None:
                misnamed.see(block)
            text = _checked(part, block, decoder, before=size, lines=lines)
            size, lines = size + len(block), lines + text.count("\n")
            quotes, last = quotes + text.count('"'), text[-1:] or last
    if misnamed is not None and misnamed.likely:
        raise ExtractError(
            f"{part.label}: must be {part.encoding} text, as named; it is UTF-8. Leave out 'encoding' in cohort.yaml, and give "
            f"all parts one encoding."
        )
    if decoder.getstate()[0]:
        raise ExtractError(f"{part.label}: the file is cut off in the middle of a character. {COPY}.")
    if not last.strip("\ufeff") and lines == 0:
        raise ExtractError(f"{part.label}: must hold a header and at least one row; the file is empty. Export it again.")
    if quotes % 2:
        _check_quotes(part)
    return last in "\r\n"


class _Utf8:
    """Notice whether bytes that are named otherwise are UTF-8: letters would be read as two each."""

    def __init__(self) -> None:
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.sound, self.beyond_ascii = True, False

    @property
    def likely(self) -> bool:
        """Whether all bytes seen are UTF-8, and some are no ASCII."""
        return self.sound and self.beyond_ascii

    def see(self, block: bytes) -> None:
        """Look at the next bytes."""
        try:
            text = self.decoder.decode(block) if self.sound else ""
        except UnicodeDecodeError:
            self.sound = False
            return
        self.beyond_ascii = self.beyond_ascii or not text.isascii()


def _checked(part: Part, block: bytes, decoder: codecs.IncrementalDecoder, *, before: int, lines: int) -> str:
    if before == 0 and part.encoding is None and (found := unicode_of(block)):
        raise ExtractError(
            f"{part.label}: must be UTF-8 text; it is {found.upper()}. Save it as UTF-8, or write 'encoding: {found}' into "
            f"cohort.yaml."
        )
    pending = len(decoder.getstate()[0])
    try:
        text = decoder.decode(block)
    except UnicodeError as error:
        start = getattr(error, "start", 0)  # UTF-16 without its mark has none
        at = before - pending + start
        line = lines + 1 + block[: max(start - pending, 0)].count(b"\n")
        raise ExtractError(
            f"{part.label}: must be {part.encoding or 'UTF-8'} text; byte {at} (line {line}) is not. Save it as UTF-8, or name "
            f"its encoding in cohort.yaml, such as 'encoding: cp1252'."
        ) from None
    if "\0" in text:
        raise ExtractError(f"{part.label}: must be text; it holds NUL bytes, so it is damaged or no CSV. {COPY}.")
    return text


def _check_quotes(part: Part) -> None:
    """Refuse an open quote: a parser would take the rest of the file for a cell."""
    with opened(part) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        reader, begun = csv.reader(text, delimiter=separator_of(part), strict=True), 1
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
