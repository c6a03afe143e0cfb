"""A search for rows that are far nearer to a patient than another patient is, quick in wide tables.

A projection shortens distances, and the nearest of a few patients is no nearer than the nearest of all. So a row that even
projected is far from every patient, by the distance of that patient to the nearest of a few, is no near copy. Only the other
rows, mostly none, are compared in full: the result is that of comparing all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mgvae.cohort.embedding import Floats, neighbour_ratios
from mgvae.reproducibility import numpy_generator

WORTH = 5_000_000_000  # multiplications of a full comparison from which screening saves time
DIRECTIONS = 64  # of the projection
ROUNDS = 3  # that improve the directions; any are right, good ones exclude more
FITTED = 2000  # rows that give the directions
LANDMARKS = 256  # patients that bound the distance to the nearest
BLOCK = 16_000_000  # pairs of rows compared at a time


@dataclass(frozen=True)
class Screen:
    """What excludes near copies quickly.

    Attributes:
        projected: the rows in few directions, ``(N, DIRECTIONS)``.
        landmarks: positions of some rows, ``(L,)``.
        apart: squared distances of all rows to them, ``(N, L)``; infinite from a row to itself.
        margin: what rounding may do to a squared distance.
    """

    projected: Floats
    landmarks: Floats
    apart: Floats
    margin: float


class NearSearch:
    """Rows among which near copies are sought.

    Attributes:
        rows: embedded, ``(N, P)``.
        ratio: the share of a patient's distance to the nearest other patient that is near.
    """

    def __init__(self, rows: Floats, *, ratio: float) -> None:
        self.rows, self.ratio = rows, ratio

    def near(self, queries: Floats, patients: Floats) -> tuple[Floats, Floats]:
        """Return which rows nearly equal a patient, and whom.

        Args:
            queries, patients: positions in the rows.

        Returns:
            Positions in ``queries``, ascending, and in ``patients``.
        """
        left = self._left(queries, patients)
        known = patients if len(left) else patients[:0]
        ratios, who = neighbour_ratios(self.rows[queries[left]], self.rows[known])
        found = ratios < self.ratio
        return left[found], who[found]

    def _left(self, queries: Floats, patients: Floats) -> Floats:
        """Return which of ``queries`` may be near copies."""
        width = self.rows.shape[1]
        if len(queries) * len(patients) * width < WORTH or width <= 2 * DIRECTIONS:
            return np.arange(len(queries))
        screen = self.screen
        known = np.flatnonzero(np.isin(screen.landmarks, patients))
        if len(known) < 2:
            return np.arange(len(queries))
        reach = self.ratio**2 * (screen.apart[np.ix_(patients, known)].min(axis=1) + screen.margin) + screen.margin
        places, centres = screen.projected[queries], screen.projected[patients]
        limit, size, centres = reach - np.square(centres).sum(axis=1), np.square(places).sum(axis=1), 2 * centres.T
        kept = np.zeros(len(queries), dtype=bool)
        step = max(1, BLOCK // len(patients))
        for start in range(0, len(queries), step):
            at = slice(start, start + step)
            kept[at] = (places[at] @ centres + limit).max(axis=1) >= size[at]
        return np.flatnonzero(kept)

    @cached_property
    def screen(self) -> Screen:
        """Projection and landmarks, by a seed of their own: they change how many rows are excluded, never which are near."""
        draw = numpy_generator(0, "near search")
        order = draw.permutation(len(self.rows))
        some = self.rows[order[:FITTED]]
        some = some - some.mean(axis=0)
        directions = draw.normal(size=(self.rows.shape[1], DIRECTIONS)).astype(np.float32)
        for _ in range(ROUNDS):
            directions = np.linalg.qr(some.T @ (some @ directions))[0]
        landmarks = order[:LANDMARKS]
        squares = np.einsum("ij,ij->i", self.rows, self.rows)
        apart = self.rows @ (-2 * self.rows[landmarks].T)
        apart += squares[:, None]
        apart += squares[landmarks]
        apart[landmarks, np.arange(len(landmarks))] = np.inf
        margin = 4 * self.rows.shape[1] * float(np.finfo(np.float32).eps) * float(squares.max())
        return Screen(self.rows @ directions, landmarks, np.maximum(apart, 0, out=apart), margin)


def near_copies(queries: Floats, patients: Floats, *, ratio: float) -> tuple[Floats, Floats]:
    """Return the positions of the rows of ``queries`` that nearly equal a row of ``patients``, and of that row."""
    places = np.split(np.arange(len(queries) + len(patients)), [len(queries)])
    return NearSearch(np.concatenate([queries, patients]), ratio=ratio).near(*places)
