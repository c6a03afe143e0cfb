"""Quasi-identifiers: what others may know of a patient, such as age, sex and region.

A synthetic case that equals one patient, and no other, in all of them invites the belief that the rest is that patient's too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import Floats, numbers
from validation.intervals import Interval, share

DECIMALS = 6
UNLIKELY = 0.005


@dataclass(frozen=True)
class Matches:
    """Patients of one class whom synthetic cases equal in all quasi-identifiers.

    Attributes:
        rate: share of synthetic cases that equal one training patient and no other patient.
        reference: what that share would be if patients held out were met as often as those trained on.
        met, known: unique patients who are met, and those of them who were trained on.
        share: of unique patients who were trained on.
        excess: whether more of those met were trained on than chance explains.
    """

    rate: Interval
    reference: float
    met: int
    known: int
    share: float
    excess: bool


def matches(synthetic: pd.DataFrame, real: Mapping[str, pd.DataFrame], trained: str, held_out: str) -> Matches:
    """Match synthetic cases with the patients of a class by quasi-identifiers.

    Without copying, who was trained on makes no difference: of the patients met, each counted once, as many were trained on as
    chance explains (hypergeometric). Patients who share all quasi-identifiers with another patient of either class are not
    unique and do not count. Numbers are compared as exactly as real ones are written: an age of 61.7 is 62 where ages are
    whole. Missing equals missing.

    Args:
        synthetic: quasi-identifiers of the synthetic cases.
        real: the same of all real patients, by part.
        trained, held_out: the parts of ``real`` to compare.
    """
    everybody = pd.concat(list(real.values()), ignore_index=True)
    decimals = {str(name): _decimals(numbers(everybody[name])) for name in everybody}
    counts = Counter(key for frame in real.values() for key in _keys(frame, decimals))
    inside, outside = ({key for key in _keys(real[part], decimals) if counts[key] == 1} for part in (trained, held_out))
    made = _keys(synthetic, decimals)
    met = {key for key in made if key in inside or key in outside}
    known = len(met & inside)
    chance = float(stats.hypergeom.sf(known - 1, len(inside) + len(outside), len(inside), len(met)))
    missed = sum(key in outside for key in made) / len(made)
    return Matches(
        rate=share(sum(key in inside for key in made), len(made)),
        reference=min(missed * len(inside) / len(outside), 1.0) if outside else 0.0,
        met=len(met),
        known=known,
        share=len(inside) / max(len(inside) + len(outside), 1),
        excess=bool(outside) and chance < UNLIKELY,
    )


def _decimals(values: Floats) -> int:
    """Return how many decimals numbers are written with, at most ``DECIMALS``."""
    known = values[np.isfinite(values)]
    for decimals in range(DECIMALS):
        if np.allclose(known, np.round(known, decimals), rtol=0, atol=1e-6 * 10.0**-decimals):
            return decimals
    return DECIMALS


def _keys(frame: pd.DataFrame, decimals: Mapping[str, int]) -> list[bytes]:
    cells = np.stack([np.round(numbers(frame[name]), places) for name, places in decimals.items()], axis=1)
    cells = np.where(np.isnan(cells), np.nan, cells + 0.0)  # one NaN, no negative zero
    return [row.tobytes() for row in cells]
