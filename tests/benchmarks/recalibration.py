"""What is lost where a fold is recalibrated from fewer events than there are.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.recalibration [--studies 40] [--events 250 500 1000] [--enough 50 100 200]
        [--folds 5]

Studies of a world of which the risk is known: twelve predictors, 5 % events, a risk that is linear in half of them and curved
in others. The arm is `class_weight`, whose probabilities need recalibration most. Every study is fitted once, without each pair
of folds (or on each inner fold, of fewer than four), and recalibrated from all of them or from as few as bring the asked number
of events.

Printed by number of events and classifier, of the recalibrated out-of-fold probabilities: fits a repeat; root mean squared
error of the true calibration slope (regression of the true risk, not of the outcome) and of the logarithm of expected over
observed; mean squared distance from the true risk, times 10,000: what the Brier score pays; and how many of the 95 % limits of
the estimated slope hold the true one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.classifiers.recalibration import fit_recalibration
from mgvae.cohort.rows import Rows
from mgvae.config.sections import Arm, Classifier, Training
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.cells import compute_cells
from mgvae.evaluation.cross_validation import _Assembly
from mgvae.evaluation.fits import plan_folds
from mgvae.evaluation.intervals import Sample, Score, estimates
from mgvae.evaluation.measures.net_benefit import threshold_grid
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure_probabilities
from mgvae.evaluation.one_split import Chain
from mgvae.reproducibility import derive

PREVALENCE, PREDICTORS, RESAMPLES = 0.05, 12, 100
ALL = 10**9
FLAT = 1e6  # standard deviation of a prior that says nothing
ARM: Arm = "class_weight"
CLASSIFIERS: tuple[Classifier, ...] = ("logistic_regression", "hist_gradient_boosting")


class Found(NamedTuple):
    """What recalibration gave in one study."""

    fits: int
    slope: float
    level: float
    distance: float
    held: bool


def draw(events: int, rng: np.random.Generator) -> tuple[Rows, Any]:
    """Return a study with about so many events, and the true risk of each patient."""
    n = round(events / PREVALENCE)
    x = rng.normal(size=(n, PREDICTORS))
    line = x[:, :6] @ np.array([0.6, -0.5, 0.4, -0.3, 0.2, 0.1]) + 0.4 * (x[:, 6] ** 2 - 1) + 0.4 * x[:, 7] * x[:, 8] - 3.6
    risk = expit(line)
    event = (rng.random(n) < risk).astype(np.int64)
    return Rows(pd.DataFrame(x, columns=[f"x{i}" for i in range(PREDICTORS)]), event, np.arange(n)), risk


def study(events: int, folds: int, enough: tuple[int, ...], seed: int) -> Mapping[tuple[Classifier, int], Found]:
    """Return what each choice of `enough` gave, by classifier."""
    rows, risk = draw(events, np.random.default_rng(seed))
    chain = Chain((ARM,), CLASSIFIERS, Recipe(columns={}, training=Training()))
    outcomes = compute_cells(rows, plan_folds(rows, n_folds=folds, repeats=1, seed=seed, enough=ALL).fits, chain)
    weights = np.concatenate(list(resamples(rows.event, rows.group, n=RESAMPLES, seed=seed).chunks()), axis=1)
    found = {}
    for number in enough:
        plan = plan_folds(rows, n_folds=folds, repeats=1, seed=seed, enough=number)
        part = {name: outcomes[name] for name in plan.fits}
        predicted = _Assembly(rows, plan, chain, plan.fits, part).folds()
        for classifier in CLASSIFIERS:
            (p,) = predicted.probability[ARM, classifier, "recalibrated"]
            found[classifier, number] = _judged(len(plan.fits), p, rows, risk, weights)
    return found


def _judged(fits: int, p: Any, rows: Rows, risk: Any, weights: Any) -> Found:
    true = fit_recalibration(risk, p, level_sd=FLAT, log_slope_sd=FLAT).slope
    options = {"threshold": PREVALENCE, "thresholds": threshold_grid((0.02, 0.1)), "deployment_prevalence": None}
    whole, drawn = (measure_probabilities(rows.event, p, w, **options) for w in (unit_weights(len(rows)), weights))
    events = int(rows.event.sum())
    sample = Sample(events=events, others=len(rows) - events, alerts=float((p >= PREVALENCE).sum()))
    limits = estimates({"calibration_slope": Score(whole["calibration_slope"], drawn["calibration_slope"], sample)})[
        "calibration_slope"
    ]
    held = limits.low is not None and limits.high is not None and limits.low <= true <= limits.high
    return Found(fits, true, float(np.log(p.mean() / risk.mean())), float(((p - risk) ** 2).mean()), held)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--events", type=int, nargs="+", default=[250, 500, 1000])
    parser.add_argument("--enough", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    print("| events | classifier | recalibrated from | fits | slope | expected over observed | distance | limits hold |")
    print("|---:|---|---|---:|---:|---:|---:|---:|")
    for events in chosen.events:
        numbers = (*chosen.enough, ALL)
        made = [
            study(events, chosen.folds, numbers, derive(chosen.seed, "study", events, place)) for place in range(chosen.studies)
        ]
        for classifier in CLASSIFIERS:
            for number in numbers:
                print(_line(events, classifier, number, [one[classifier, number] for one in made]), flush=True)


def _line(events: int, classifier: str, enough: int, found: list[Found]) -> str:
    fits, slope, level, distance, held = (np.array(each, dtype=float) for each in zip(*found, strict=True))
    error, moved = np.sqrt(np.mean((slope - 1) ** 2)), np.sqrt(np.mean(level**2))
    named = "all" if enough == ALL else f"{enough} events"
    numbers = f"{fits.mean():.1f} | {error:.3f} | {moved:.3f} | {1e4 * distance.mean():.2f} | {held.mean():.0%}"
    return f"| {events} | {classifier} | {named} | {numbers} |"


if __name__ == "__main__":
    main()
