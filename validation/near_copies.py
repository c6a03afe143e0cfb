"""Near copies of patients: rows far nearer to a patient than another patient is.

A row is a near copy if its distance to the nearest patient is below a share of that patient's distance to the nearest other
patient (the nearest-neighbour distance ratio; Lowe, Int J Comput Vis 2004, doi:10.1023/B:VISI.0000029664.99615.94). The ratio
has no unit and allows for sparse and dense regions. Patients with an exact twin are identified by nobody and do not count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mgvae.cohort.embedding import Floats, by_own, nearest
from mgvae.reproducibility import numpy_generator
from validation.intervals import Interval, share
from validation.near_search import NearSearch, near_copies

MOST_QUERIES = 4000  # synthetic rows, and real ones, that are judged
MOST_OWN = 500
DRAWS = 300  # samples of other patients, as many as the cases
QUERIES = 400  # rows compared with each
UNLIKELY = 0.005  # of an excess by chance; several gates are judged at once
DIFFERENT = 0.05


@dataclass(frozen=True)
class NearCopies:
    """Near copies of one class of patients.

    Attributes:
        rate: share of synthetic rows that are near copies.
        reference: the same share among real rows that are no training patient of this class.
        excess: whether the rate is above that by more than chance explains.
    """

    rate: Interval
    reference: float
    excess: bool


def near_case_copies(
    synthetic: Floats, cases: Floats, holdout: Floats, majority: Floats, *, ratio: float, seed: int
) -> NearCopies:
    """Compare synthetic rows with real rows in how often they nearly equal a case.

    How often rows come near to few patients depends on who these are. So the reference draws as many majority patients as there
    are cases, again and again, and compares other majority patients with them. Real cases take their place where they come near
    to each other significantly more often.

    Args:
        synthetic, cases, holdout, majority: embedded rows.
        ratio: share of the distance to the nearest other patient.
        seed: of all draws.
    """
    made = _some(synthetic, MOST_QUERIES, seed)
    near = len(near_copies(made, cases, ratio=ratio)[0])
    rates = _rates_by_chance(majority, len(cases), min(QUERIES, len(made)), ratio=ratio, seed=seed)
    own = _own_ratios(cases, seed=seed)
    coinciding, rows = len(near_copies(holdout, cases, ratio=ratio)[0]) + int((own < ratio).sum()), len(holdout) + len(own)
    usual = float(rates.mean()) if len(rates) else 0.0
    if rows and (not len(rates) or float(stats.binom.sf(coinciding - 1, rows, usual)) < DIFFERENT):
        return _against(near, len(made), coinciding, rows)
    chance = float((1 + (rates >= near / len(made)).sum()) / (1 + len(rates)))
    return NearCopies(share(near, len(made)), usual, chance < UNLIKELY and near > 0)


def near_majority_copies(synthetic: Floats, majority: Floats, holdout: Floats, *, ratio: float, seed: int) -> NearCopies:
    """Compare how many majority patients of the training part and held out are nearly equalled.

    Without copying, who of them was trained on makes no difference: of those nearly equalled as many are from the training part
    as its share of all explains (hypergeometric). Each patient counts once, however many synthetic rows come near.

    Args:
        synthetic, majority, holdout: embedded rows.
        ratio: share of the distance to the nearest other patient.
        seed: of the subsample.
    """
    made, patients = _some(synthetic, MOST_QUERIES, seed), np.concatenate([majority, holdout])
    _, near = near_copies(made, patients, ratio=ratio)
    trained, equalled = int((near < len(majority)).sum()), np.unique(near)
    known = int((equalled < len(majority)).sum())
    chance = float(stats.hypergeom.sf(known - 1, len(patients), len(majority), len(equalled)))
    usual = (len(near) - trained) / len(made) * len(majority) / len(holdout) if len(holdout) else 0.0
    return NearCopies(share(trained, len(made)), min(usual, 1.0), bool(len(holdout)) and chance < UNLIKELY)


def _rates_by_chance(rows: Floats, size: int, queries: int, *, ratio: float, seed: int) -> Floats:
    """Return how often ``queries`` real rows come near to ``size`` others, for each draw of them."""
    draw, count = numpy_generator(seed, "by chance"), min(queries, len(rows) - size)
    if count < 1 or size < 2:
        return np.empty(0)
    out, search = np.empty(DRAWS), NearSearch(rows, ratio=ratio)
    for place in range(DRAWS):
        chosen = draw.choice(len(rows), size + count, replace=False)
        out[place] = len(search.near(chosen[size:], chosen[:size])[0]) / count
    return out


def _own_ratios(patients: Floats, *, seed: int) -> Floats:
    if len(patients) < 3:
        return np.empty(0)
    chosen = numpy_generator(seed, "own").permutation(len(patients))[:MOST_OWN]
    near, who = _nearest_but(patients, chosen, chosen[:, None])
    _, other = _nearest_but(patients, who, np.stack([who, chosen], axis=1))
    return by_own(near, np.linalg.norm(patients[who] - patients[other], axis=1))


def _nearest_but(patients: Floats, rows: Floats, left_out: Floats) -> tuple[Floats, Floats]:
    """Return the distance and place of the nearest patient of each row but ``left_out (rows, k)``."""
    distances, places = nearest(patients[rows], patients, neighbours=left_out.shape[1] + 1)
    first = (places[:, :, None] == left_out[:, None, :]).any(axis=2).argmin(axis=1)
    at = np.arange(len(rows))
    return distances[at, first], places[at, first]


def _against(near: int, total: int, found: int, rows: int) -> NearCopies:
    table = [[near, total - near], [found, rows - found]]
    chance = float(stats.fisher_exact(table, alternative="greater").pvalue)
    return NearCopies(share(near, total), found / rows, chance < UNLIKELY)


def _some(rows: Floats, most: int, seed: int) -> Floats:
    return np.asarray(rows[numpy_generator(seed, "near").permutation(len(rows))[:most]])
