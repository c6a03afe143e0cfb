"""Rows with more or fewer fields than the header, and what is likely the cause."""

from __future__ import annotations

from typing import Any


class Misfits:
    """Count rows with more or fewer fields than the header; keep none of their text.

    Attributes:
        fields: how many the header has.
        count: how many rows have another number.
        row: number of the first one; the header is row 1.
        last: number of the last one.
        found: how many fields the first one has.
        sizes: the numbers of fields that they have.
    """

    def __init__(self, fields: int) -> None:
        self.fields = fields
        self.count = self.row = self.last = self.found = 0
        self.sizes: set[int] = set()

    def note(self, row: Any) -> str:
        """Count a row that the parser cannot fit, unless it is blank; it goes on with the next one."""
        if not str(row.text or "").strip():
            return "skip"
        self.add(int(row.number or 0), int(row.actual_columns))
        return "skip"

    def add(self, number: int, size: int) -> None:
        """Count a row by its number and its number of fields."""
        self.last = number
        if not self.count:
            self.row, self.found = number, size
        self.count += 1
        self.sizes.add(size)

    def message(self, fitting: int) -> str:
        """Return what must hold, what was found and what to do.

        Args:
            fitting: how many rows have as many fields as the header.
        """
        rows = "row does" if self.count == 1 else "rows do"
        return (
            f"every row must have {self.fields} fields, as the header has; {self.count} {rows} not, the first is row "
            f"{self.row} (the header is row 1) with {self.found}. {self._hint(fitting)}"
        )

    def _hint(self, fitting: int) -> str:
        if not fitting and self.count > 1:
            return self._hint_where_none_fits()
        if self.sizes == {self.fields + 1} and self.count > fitting:
            return "Most rows have one field more: name every column, and end no row with a separator."
        if self.count > fitting and len(self.sizes) == 1 and min(self.sizes) > self.fields:
            return "Most rows have more, so the first line is not the header: remove what stands before the columns' names."
        if min(self.sizes) > self.fields:
            return "Put cells that hold the separator into double quotes."
        if self.count == 1 and self.last > fitting + 1:
            return "It is the last one, so the file may be cut off: copy it again from its source."
        return (
            "Put cells that hold a line break or the separator into double quotes, and write the separators of empty cells; or "
            " the file is damaged: copy it again from its source."
        )

    def _hint_where_none_fits(self) -> str:
        if self.sizes == {self.fields + 1}:
            return (
                "All rows have one field more than the header: name every column (R writes row names without a name), and end "
                "no row with a separator."
            )
        if len(self.sizes) == 1 or self.fields == 1:
            return (
                "No row fits, so the first line is not the header: remove what stands before the line with the columns' names."
            )
        return (
            "No row fits: the first line is not the header, or cells that hold the separator, such as numbers with a comma, "
            "are not in double quotes."
        )
