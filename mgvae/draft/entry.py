"""One column's entry in the drafted dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mgvae.config.dictionary import Kind, Level, Role

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Drafted:
    """One column's entry, and what a person must look at.

    Attributes:
        name: its name.
        kind: None where it is not used as numbers, levels or dates.
        role: one or more.
        categories: its levels, for level kinds.
        range: for numeric kinds.
        missing_codes: values taken for "missing".
        max_missing: None for the default.
        format: how its cells are written, where not as plain numbers or ISO dates.
        unit: as its cells name it.
        notes: for review, each a short sentence without any value of a single patient.
    """

    name: str
    kind: Kind | None = None
    role: tuple[Role, ...] = ("feature",)
    categories: tuple[Level, ...] = ()
    range: Bounds | None = None
    missing_codes: tuple[Level, ...] = ()
    max_missing: float | None = None
    format: str | None = None
    unit: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def predicts(self) -> bool:
        """Whether it is a predictor."""
        return "feature" in self.role

    def note(self, *notes: str) -> Drafted:
        """Return the entry with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def coded(self, codes: Sequence[Level]) -> Drafted:
        """Return the entry with further codes for "missing" ahead, and a note on them."""
        if not codes:
            return self
        note = f"taken for missing: {', '.join(map(repr, codes))}"
        return replace(self, missing_codes=(*codes, *self.missing_codes)).note(note)

    def excluded(self, *notes: str) -> Drafted:
        """Return the entry with the role excluded, and why."""
        return replace(self, role=("excluded",), max_missing=None).note(*notes)


def identifier(name: str, *notes: str, numeric: bool = False) -> Drafted:
    """Return an identifier's entry; as numbers, ``12.0`` and ``12`` are one subject."""
    return Drafted(name, "count" if numeric else None, ("identifier",), notes=notes)


def left_out(name: str, *notes: str) -> Drafted:
    """Return the entry of a column that cannot be used, and why."""
    return Drafted(name, role=("excluded",), notes=notes)
