"""Where majority, real cases and synthetic cases lie, along the two directions in which the majority differs most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh

from mgvae.cohort.embedding import Floats, fit_embedding
from mgvae.results.density_map import GROUPS, DensityMap, MapCell
from mgvae.results.numbers import FEWEST_NAMED
from mgvae.results.small_counts import suppressed_rows

FEWEST_CELLS, MOST_CELLS = 5, 14  # along each component
WANTED = 3  # cases in a cell, were they spread evenly
TAIL = 0.01  # share of the majority or of the cases beyond the outermost cells, at each end
WIDE = 1000  # coordinates beyond which no covariance of all pairs is calculated


def density_map(majority: pd.DataFrame, cases: pd.DataFrame, synthetic: pd.DataFrame) -> DensityMap | None:
    """Return counts by the two principal components of the majority's embedding.

    Embedding and components are fitted on the majority alone. Counts below `FEWEST_NAMED` are left out, and others with them,
    so that the number of rows of a group does not give them away. The grid is coarser where there are fewer cases.

    Args:
        majority, cases, synthetic: rows with the columns and dtypes of ``Cohort.features``; the real ones of the training part.

    Returns:
        the map; None where the majority differs along fewer than two directions, or a group is empty.
    """
    frames = dict(zip(GROUPS, (majority, cases, synthetic), strict=True))
    if min(map(len, frames.values())) == 0:
        return None
    embedding = fit_embedding(majority)
    own = embedding.transform(majority).astype(np.float64)
    centre = own.mean(axis=0)
    own -= centre
    directions, shares = _components(own)
    if directions is None:
        return None
    placed = {GROUPS[0]: own @ directions}
    del own  # one table at a time is in memory
    placed |= {name: (embedding.transform(frames[name]) - centre) @ directions for name in GROUPS[1:]}
    side = int(np.clip(round((len(cases) / WANTED) ** 0.5), FEWEST_CELLS, MOST_CELLS))
    starts, steps = _grid([placed["majority"], placed["cases"]], side)
    counts = np.stack([_counts(placed[name], starts, steps, side) for name in GROUPS])  # (group, across, up)
    known = np.stack([~suppressed_rows(one.reshape(-1, 1)) for one in counts]).reshape(counts.shape)
    cells = tuple(
        MapCell(
            across=round(float(starts[0] + i * steps[0]), 9),
            up=round(float(starts[1] + j * steps[1]), 9),
            **{
                name: int(count) if shown else None
                for name, count, shown in zip(GROUPS, counts[:, i, j], known[:, i, j], strict=True)
            },
        )
        for j in range(side)
        for i in range(side)
        if counts[:, i, j].any()
    )
    n = {name: len(frame) for name, frame in frames.items()}
    return DensityMap(
        width=round(float(steps[0]), 9),
        height=round(float(steps[1]), 9),
        variance=shares,
        fewest=FEWEST_NAMED,
        n=n,
        cells=cells,
    )


def _components(centred: Floats) -> tuple[Floats | None, tuple[float, float]]:
    """Return the first two principal directions, ``(coordinates, 2)``, and their shares of the variance."""
    count, width = centred.shape
    total = float(np.vdot(centred, centred)) / count
    if width < 2 or total <= 0:
        return None, (0.0, 0.0)
    if width > WIDE:
        covariance = LinearOperator((width, width), matvec=lambda one: centred.T @ (centred @ one) / count, dtype=np.float64)
        values, vectors = eigsh(covariance, k=2, v0=np.ones(width), tol=1e-6)
    else:
        values, vectors = eigh(centred.T @ centred / count, subset_by_index=[width - 2, width - 1])
    if values[0] <= 1e-9 * total:
        return None, (0.0, 0.0)
    vectors, values = vectors[:, ::-1], values[::-1]
    largest = vectors[np.abs(vectors).argmax(axis=0), [0, 1]]  # its sign is made the same always
    return vectors * np.sign(largest), (float(values[0] / total), float(values[1] / total))


def _grid(samples: list[Floats], side: int) -> tuple[Floats, Floats]:
    """Return lower end and step along each component."""
    low = np.min([np.quantile(sample, TAIL, axis=0) for sample in samples], axis=0)
    high = np.max([np.quantile(sample, 1 - TAIL, axis=0) for sample in samples], axis=0)
    steps = np.where(high > low, (high - low) / side, 1.0)
    digits = 10.0 ** (np.floor(np.log10(steps)) - 1)  # round numbers: no patient's place becomes an edge
    steps = np.ceil(steps / digits) * digits
    return np.floor(low / digits) * digits, steps


def _counts(placed: Floats, starts: Floats, steps: Floats, side: int) -> Floats:
    cells = np.clip(np.floor((placed - starts) / steps), 0, side - 1).astype(np.int64)
    counted: Floats = np.zeros((side, side), dtype=np.int64)
    np.add.at(counted, (cells[:, 0], cells[:, 1]), 1)
    return counted
