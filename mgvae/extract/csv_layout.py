"""How a CSV file is laid out: where its header begins, its encoding and separator."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from mgvae.extract.parts import BLOCK, Part

DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
MARKS = {  # the longer ones first: the mark of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SAMPLE = 20  # rows
ROWS = 1 << 14
EMPTY = re.compile(rb"(?:[\s,;|\"]|\xc2\xa0|\xe2\x80\x8b|\xef\xbb\xbf)*")  # blank lines, and rows of empty cells
SEPARATOR_LINE = re.compile(rb"\"?sep=[^\r\n]\"?[,;|\t]*[\r\n]+", re.IGNORECASE)  # how a file names its separator to Excel
MULTIBYTE = re.compile(rb"[\xc3-\xf4][\x80-\xbf]")
WESTERN = "cp1252"


@dataclass(frozen=True)
class Layout:
    """What the beginning of a file says of it.

    Attributes:
        separator: what most likely stands between its columns.
        encoding: the encoding that its bytes show; None where they are UTF-8.
    """

    separator: str
    encoding: str | None


def separator_of(part: Part) -> str:
    """Return what a part's columns are separated by: as named, else as its name says."""
    return part.separator or ("\t" if part.format == "tsv" else ",")


def layout_of(part: Part) -> Layout:
    """Return how a part is laid out, judged by its content."""
    encoding = part.encoding or found_encoding(part)
    return Layout(likely_separator(part.laid_out(part.separator, encoding)), encoding)


def likely_separator(part: Part) -> str:
    """Return what most likely stands between the columns of a part, whose encoding is known."""
    return _separator(_first_lines(part), own=separator_of(part))


def found_encoding(part: Part) -> str | None:
    """Return the encoding that a file's bytes show; None for UTF-8, and where they show none.

    A byte order mark shows UTF-16 and UTF-32, a NUL in every second byte UTF-16. What is not UTF-8 and has no letter that is
    UTF-8 is taken for Western European (Windows-1252).
    """
    decoder, damaged, multibyte = codecs.getincrementaldecoder("utf-8")("replace"), False, False
    with part.open() as file:
        block = file.read(BLOCK)
        named = unicode_of(block)
        while block and named is None:
            damaged = damaged or "\ufffd" in decoder.decode(block)
            multibyte = multibyte or MULTIBYTE.search(block) is not None
            block = file.read(BLOCK)
    return named or (WESTERN if damaged and not multibyte and _decodes(part, WESTERN) else None)


def unicode_of(block: bytes) -> str | None:
    """Return the encoding of a file that begins so, where it is Unicode other than UTF-8; else None."""
    marked = next((name for mark, name in MARKS.items() if block.startswith(mark)), None)
    if marked:
        return marked
    block = block[:4096]
    half = len(block) // 2
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if half and block[start::2].count(0) > 0.7 * half and block[1 - start :: 2].count(0) == 0:
            return name
    return None


def _decodes(part: Part, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with part.open() as file:
        try:
            while block := file.read(BLOCK):
                decoder.decode(block)
        except UnicodeDecodeError:
            return False
    return True


def _first_lines(part: Part) -> list[str]:
    """Return the first lines from the header on, each without its end; none where they are no text in the part's encoding."""
    try:
        with opened(part) as file:
            return [line.rstrip("\r\n") for line in islice(io.TextIOWrapper(file, "utf-8", newline=""), SAMPLE)]
    except UnicodeError:
        return []


def first_rows(part: Part) -> list[list[str]]:
    """Return the first rows, the header included."""
    with opened(part) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        return list(islice((row for row in csv.reader(text, delimiter=separator_of(part)) if row), SAMPLE))


def _separator(lines: list[str], *, own: str) -> str:
    """Return the character that separates most columns of the header.

    A file's own separator is right wherever it gives all lines equally many fields, at least two.
    """
    if not lines:
        return own
    counts = [len(row) for row in csv.reader(lines, delimiter=own) if row]
    if counts and min(counts) == max(counts) > 1:
        return own
    header = re.sub(r'"[^"]*"', "", lines[0])
    return max(DELIMITERS, key=lambda delimiter: (header.count(delimiter), delimiter == own))


@contextmanager
def opened(part: Part) -> Iterator[Any]:
    """Open a part as UTF-8 bytes that begin at the header: no mark, empty line or ``sep=`` before it."""
    requote = _blanks_before_quotes(part, part.state())
    with part.open() as file:
        chunks = _to_last_row(_from_header(decoded(file, part.encoding)), separator_of(part))
        yield _buffered(_requoted(chunks, separator_of(part)) if requote else chunks)


def header_start(head: bytes) -> int | None:
    """Return where the header begins; None where ``head`` is too short to tell."""
    at = len(head) - len(head.removeprefix(codecs.BOM_UTF8))
    while True:
        begun = EMPTY.match(head, at).end()  # type: ignore[union-attr]  # it matches the empty text
        if b"\n" not in head[begun:] and b"\r" not in head[begun:]:
            return None
        at = max(at, head.rfind(b"\n", 0, begun) + 1, head.rfind(b"\r", 0, begun) + 1)
        named = SEPARATOR_LINE.match(head, at)
        if named is None:
            return at
        at = named.end()


def decoded(file: Any, encoding: str | None) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, as UTF-8."""
    if encoding is None:
        while block := file.read(BLOCK):
            yield block
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    while block := file.read(BLOCK):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _from_header(blocks: Iterator[bytes]) -> Iterator[bytes]:
    head, start = b"", None
    for block in blocks:
        head += block
        start = header_start(head)
        if start is not None:
            break
    else:
        start = header_start(head + b"\n")
    yield head[start or 0 :]
    yield from blocks


def _to_last_row(blocks: Iterator[bytes], separator: str) -> Iterator[bytes]:
    """Yield all but the last lines of blanks and separators, which spreadsheets write below a table."""
    held, within, empty = b"", False, f" \t\r\n{separator}".encode()
    for block in blocks:
        held += block
        if filled := len(held.rstrip(empty)):
            yield held[:filled]
            held, within = held[filled:], True
        if within and (end := re.search(rb"[\r\n]", held)):  # what is left of a line that holds something
            yield held[: end.end()]
            held, within = held[end.end() :], False
    if within and held:
        yield held


@lru_cache(maxsize=64)
def _blanks_before_quotes(part: Part, state: tuple[Any, ...]) -> bool:
    """Return whether blanks stand between separators and quotes throughout, as in ``1, "a"``.

    Args:
        part: the file, which is read as a whole.
        state: of the file, which tells a new file of the same name.
    """
    separator = separator_of(part)
    pattern, tail, found = re.compile(re.escape(separator.encode()) + rb' +"'), b"", False
    with part.open() as file:
        for block in decoded(file, part.encoding):
            found = found or pattern.search(tail + block) is not None
            tail = block[-8:]
    if not found:
        return False
    try:
        with part.open() as file:
            text = _text(_to_last_row(_from_header(decoded(file, part.encoding)), separator))
            rows = csv.reader(text, delimiter=separator, skipinitialspace=True)
            sizes = {len(row) for row in rows if any(field.strip() for field in row)}
    except csv.Error:
        return False
    return len(sizes) == 1


def _requoted(chunks: Iterator[bytes], separator: str) -> Iterator[bytes]:
    """Yield the rows again, with no blank before a quote."""
    rows = csv.reader(_text(chunks), delimiter=separator, skipinitialspace=True)
    while some := list(islice(rows, ROWS)):
        written = io.StringIO()
        csv.writer(written, delimiter=separator, lineterminator="\n").writerows(some)
        yield written.getvalue().encode()


class _Chunks(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.left = memoryview(b"")

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the next block; 0 at the end."""
        while not self.left:
            block = next(self.chunks, None)
            if block is None:
                return 0
            self.left = memoryview(block)
        size = min(len(buffer), len(self.left))
        buffer[:size], self.left = self.left[:size], self.left[size:]
        return size


def _buffered(chunks: Iterator[bytes]) -> Any:
    return io.BufferedReader(_Chunks(chunks), BLOCK)


def _text(chunks: Iterator[bytes]) -> Any:
    return io.TextIOWrapper(_buffered(chunks), "utf-8", newline="")
