"""The minimum sample size of a regression for a binary outcome, by Riley's criteria.

Source: Riley et al. 2019, doi 10.1002/sim.7992, and 2020, doi 10.1136/bmj.m441, as the packages pmsampsize compute it.
"""

from __future__ import annotations

from math import ceil, exp, log, sqrt

import numpy as np
import pandas as pd
from scipy.special import log_expit, ndtri

from mgvae.classifiers.design import RARE_LEVEL, fit_linear_design
from mgvae.cohort.stored_rows import AnyRows
from mgvae.results.numbers import Estimate
from mgvae.results.sample_size import Criterion, SampleSize

SHRINKAGE, OPTIMISM, MARGIN = 0.9, 0.05, 0.05
Z = 1.96  # as rounded in pmsampsize
NODES = 100  # of the quadrature; 50 give the same five digits


def sample_size(train: AnyRows, auroc: Estimate) -> SampleSize:
    """Return what a training part has, and what a regression on its predictors needs.

    Args:
        train: the training part, with and without the event.
        auroc: of the regression without correction, cross-validated.
    """
    parameters, prevalence = sum(map(count_parameters, train.columns())), train.prevalence  # a column has its own

    def needed(value: float | None) -> tuple[Criterion, ...]:
        return () if value is None else criteria(parameters, prevalence, cox_snell(value, prevalence))

    found, low, high = needed(auroc.value), needed(auroc.high), needed(auroc.low)
    explained = None if auroc.value is None else cox_snell(auroc.value, prevalence)
    return SampleSize(
        n=len(train),
        events=int(train.event.sum()),
        prevalence=prevalence,
        parameters=parameters,
        auroc=auroc,
        cox_snell=explained,
        nagelkerke=None if explained is None else explained / most_explained(prevalence),
        criteria=found,
        required_events=Estimate(value=most_events(found), low=most_events(low), high=most_events(high)),
    )


def count_parameters(features: pd.DataFrame) -> int:
    """Return how many coefficients the regression may have, without the intercept."""
    design = fit_linear_design(features, rare=RARE_LEVEL)
    return len(design.medians) + len(design.indicated) + sum(map(len, design.places.values()))


def criteria(parameters: int, prevalence: float, explained: float) -> tuple[Criterion, ...]:
    """Return the smallest sample by each criterion.

    The margin of the overall risk is absolute, as published: for a rare outcome, it asks for little, and shrinkage decides.

    Args:
        parameters: candidate parameters.
        prevalence: share of events, above 0 and below 1.
        explained: the anticipated R2 of Cox and Snell.
    """
    optimism = explained / (explained + OPTIMISM * most_explained(prevalence))
    sizes = {
        "shrinkage": smallest(parameters, explained, SHRINKAGE),
        "optimism": smallest(parameters, explained, optimism),
        "overall_risk": ceil((Z / MARGIN) ** 2 * prevalence * (1 - prevalence)),
    }
    return tuple(
        Criterion.model_validate({"name": name, "n": n, "events": None if n is None else ceil(n * prevalence)})
        for name, n in sizes.items()
    )


def smallest(parameters: int, explained: float, shrinkage: float) -> int | None:
    """Return the sample in which a global shrinkage is expected, as Van Houwelingen's; None for none."""
    return ceil(parameters / ((shrinkage - 1) * log(1 - explained / shrinkage))) if explained > 0 else None


def most_events(found: tuple[Criterion, ...]) -> int | None:
    """Return the events that meet all criteria; None where no sample does."""
    events = [criterion.events for criterion in found if criterion.events is not None]
    return max(events) if found and len(events) == len(found) else None


def most_explained(prevalence: float) -> float:
    """Return the largest possible R2 of Cox and Snell at a prevalence."""
    return 1 - exp(2 * _entropy(prevalence))


def cox_snell(auroc: float, prevalence: float) -> float:
    """Return the R2 of Cox and Snell that an AUROC stands for; 0 at and below 0.5.

    The linear predictor is taken to be normal with one variance among events and non-events. pmsampsize draws a million
    subjects from this model; here the likelihood is integrated.

    Source: Riley et al. 2021, doi 10.1002/sim.8806.
    """
    if auroc <= 0.5:
        return 0.0
    if auroc >= 1:
        return most_explained(prevalence)
    distance = sqrt(2) * float(ndtri(auroc))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    level = log(prevalence / (1 - prevalence))
    of_events = weights @ log_expit(level + distance * nodes + distance**2 / 2)
    of_others = weights @ log_expit(-(level + distance * nodes - distance**2 / 2))
    gain = prevalence * of_events + (1 - prevalence) * of_others - _entropy(prevalence)
    return float(1 - np.exp(-2 * gain))


def _entropy(prevalence: float) -> float:
    """Return the mean log likelihood of the prevalence, in nats."""
    return prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence)
