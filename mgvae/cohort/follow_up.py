"""How long the patients of a cohort were followed, those with an unknown outcome among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mgvae.arrays import Array, BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class FollowUp:
    """How long the patients of a cohort, or of one side of its split, were followed.

    Attributes:
        known: days until the outcome was known, ``(n,)``; the horizon for those who were followed to it without the event.
        group: of these patients, as in `mgvae.cohort.build.Cohort`, ``(n,)``.
        lost: days until follow-up ended of the patients whose outcome is unknown, ``(m,)``.
        lost_group: their groups, in the same numbering, ``(m,)``.
        lost_day: their index dates, datetime64 ``(m,)``; None where the study has none.
        lost_held: which of them belong to the test part, ``(m,)``; false before the split.
    """

    known: FloatArray
    group: IntArray
    lost: FloatArray
    lost_group: IntArray
    lost_held: BoolArray
    lost_day: Array | None = None

    def side(self, rows: BoolArray, *, held: bool) -> FollowUp:
        """Return one side of the split: ``rows (n,)``, and the lost of the test part if ``held``, else the other lost."""
        chosen = self.lost_held if held else ~self.lost_held
        lost = {name: getattr(self, name)[chosen] for name in ("lost", "lost_group", "lost_held")}
        return replace(self, known=self.known[rows], group=self.group[rows], lost_day=None, **lost)
