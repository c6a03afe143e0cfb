"""Weights of patients with a known outcome, who stand for those whose follow-up ended before.

Who is still followed is described by the Kaplan-Meier estimate of the time to the end of follow-up, alike for all patients. A
patient with a known outcome weighs 1 / P(followed until just before it was known), at most `MOST`. That is right where the end
of follow-up depends neither on the outcome nor on predictors. The AUROC so weighted is that of the cumulative cases and dynamic
controls at the horizon.

Sources: Gerds and Schumacher 2006, doi 10.1002/bimj.200610301; Uno et al. 2007, doi 10.1198/016214507000000149.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mgvae.arrays import BoolArray, FloatArray
from mgvae.cohort.build import Cohort
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.split import followed_sides
from mgvae.evaluation.measures.weights import sums, unit_weights
from mgvae.results.cohort import Censoring

MOST = 20.0  # a larger weight would let one patient decide a measure


def censoring_weights(found: FollowUp, drawn: FloatArray | None = None, drawn_lost: FloatArray | None = None) -> FloatArray:
    """Return the weight of each patient with a known outcome in each resample, ``(n, R)``; estimated anew in each.

    At equal times an outcome comes before the end of follow-up. As long as none reaches `MOST`, the weights of a sample sum to
    the number of all its patients, those with an unknown outcome among them.

    Args:
        found: n patients with a known outcome, m others.
        drawn: how often each resample holds each of the n, ``(n, R)``; None: once, with ``R`` = 1.
        drawn_lost: the same of the others, ``(m, R)``.
    """
    drawn = unit_weights(len(found.known)) if drawn is None else drawn
    drawn_lost = unit_weights(len(found.lost)) if drawn_lost is None else drawn_lost
    ends, place = np.unique(found.lost, return_inverse=True)
    before = np.searchsorted(ends, found.known, "left")  # how many ends of follow-up come before each known outcome
    leaving = sums(place, drawn_lost, len(ends))
    at_risk = _from_here(leaving) + _from_here(sums(before, drawn, len(ends) + 1))[1:]
    kept = 1 - np.divide(leaving, at_risk, out=np.zeros_like(leaving), where=at_risk > 0)
    followed = np.vstack([np.ones_like(drawn[:1]), kept.cumprod(axis=0)])
    return np.asarray(1 / np.maximum(followed[before], 1 / MOST))


def weighted(cohort: Cohort, test: BoolArray) -> Cohort:
    """Return the cohort with the weights of its patients, estimated on each side of the split alone.

    Args:
        cohort: with or without follow-up.
        test: bool ``(n,)``; one side may be empty.
    """
    if cohort.follow_up is None:
        return cohort
    weight = np.ones(len(cohort))
    for side, followed in zip((~test, test), followed_sides(cohort, test), strict=True):
        if followed is not None and side.any():
            weight[side] = censoring_weights(followed)[:, 0]
    return replace(cohort, weight=weight)


def censoring(cohort: Cohort) -> Censoring | None:
    """Return what the weights of a cohort do; None where it has none."""
    if cohort.follow_up is None or cohort.weight is None:
        return None
    return Censoring(
        unknown=len(cohort.follow_up.lost),
        known=len(cohort),
        highest=float(cohort.weight.max(initial=1.0)),
        cut=int((cohort.weight >= MOST).sum()),
        observed=cohort.events / len(cohort),
    )


def _from_here(counts: FloatArray) -> FloatArray:
    return np.asarray(counts[::-1].cumsum(axis=0)[::-1])
