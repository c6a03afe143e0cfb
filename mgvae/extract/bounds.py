"""Bound what a compressed file may hold: the size it unpacks to, and the length of a cell."""

from __future__ import annotations

import io
import re
from typing import Any

from mgvae.errors import ExtractError

LONGEST_CELL = 1 << 17  # bytes; Python's reader of CSV takes no longer one either
MOST_TIMES = 200  # as large as the packed file; tables of numbers and codes reach 5 to 50
ALWAYS_ALLOWED = 1 << 30  # bytes


def check_size(unpacked: int, packed: int, label: str, *, instead: str) -> None:
    """Refuse a compressed file that is larger than any table's.

    Args:
        unpacked: bytes that it unpacks to, as far as is known.
        packed: bytes of the file itself.
        label: its name for messages.
        instead: what to do if it is right.
    Raises:
        ExtractError: it is larger.
    """
    most = max(ALWAYS_ALLOWED, MOST_TIMES * packed)
    if unpacked > most:
        raise ExtractError(
            f"{label}: must unpack to at most {most:,} bytes, {MOST_TIMES} times the compressed file; it is larger. Check what "
            f"it is; if it is right, {instead}."
        )


def check_cell(length: int, label: str, *, at: str) -> None:
    """Refuse a cell of ``length`` bytes, ``at`` some place, that is longer than any table's.

    Raises:
        ExtractError: it is longer.
    """
    if length > LONGEST_CELL:
        raise ExtractError(
            f"{label}: every cell must have at most {LONGEST_CELL:,} bytes; {at} has more. Check that the file is a table, and "
            "what separates its columns."
        )


class BoundedFile(io.RawIOBase):
    """A file that raises where it unpacks beyond measure, or a cell has no end.

    A byte of a break ends a cell. A cell within quotes may hold one, so it is bounded by the size alone.
    """

    def __init__(self, file: Any, *, label: str, packed: int | None, breaks: str = "") -> None:
        """Wrap an open file.

        Args:
            file: binary; unpacks what is compressed.
            label: its name for messages.
            packed: bytes of the compressed file; None where it is not compressed.
            breaks: what separates its columns, besides comma, semicolon, tab and bar.
        """
        self.file, self.label = file, label
        self.packed = packed
        self.breaks = re.compile(b"[\n\r,;\t|" + re.escape(breaks.encode()) + b"]")
        self.at = 0  # bytes read, from the start
        self.since = 0  # bytes of the cell at which reading is

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def seekable(self) -> bool:
        """Return whether it can be read again from another place."""
        return bool(self.file.seekable())

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place of the unpacked file."""
        self.at, self.since = int(self.file.seek(offset, whence)), 0
        return self.at

    def tell(self) -> int:
        """Return the place in the unpacked file."""
        return self.at

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; 0 at the end.

        Raises:
            ExtractError: the file is larger, or a cell longer, than any table's.
        """
        data = self.file.read(len(buffer))
        buffer[: len(data)] = data
        self.at += len(data)
        if self.packed is not None:
            check_size(self.at, self.packed, self.label, instead="unpack it and give the file itself")
        self._check_cells(data)
        return len(data)

    def _check_cells(self, data: bytes) -> None:
        for start in range(0, len(data), LONGEST_CELL):
            found = self.breaks.search(data, start, start + LONGEST_CELL)
            self.since = 0 if found else self.since + min(LONGEST_CELL, len(data) - start)
            if self.since >= 2 * LONGEST_CELL:
                check_cell(self.since, self.label, at=f"the one at byte {self.at:,}")
