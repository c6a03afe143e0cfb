"""What it does that the rows of every arm carry the information of the real ones: calibration slopes on simulated cohorts.

python -m tests.benchmarks.comparable_penalties      # about 2 minutes of one core

Each cohort has 1,200 patients and about 40 events. Printed are the median slope after the prior-shift offset and the mean AUROC
on 20,000 fresh patients, with weights as they are and with weights of mean 1.
"""

from __future__ import annotations

from statistics import fmean, median
from typing import get_args

from mgvae.classifiers.factory import make
from mgvae.classifiers.recalibration import offset
from mgvae.config.classifiers import BuiltIn
from mgvae.config.sections import Arm, Training
from mgvae.evaluation.arms import Recipe, treat
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.threads import one_thread
from tests.mgvae.evaluation.simulated_cohort import simulated

ARMS: tuple[Arm, ...] = ("none", "class_weight", "random_oversampling", "smote")
COHORTS, PREVALENCE, FRESH = 6, 0.03, 20_000


def measured(classifier: str, arm: Arm, *, scaled: bool) -> tuple[float, float]:
    """Return median slope and mean AUROC over the cohorts."""
    test, found = simulated(FRESH, seed=999, prevalence=PREVALENCE), []
    for seed in range(COHORTS):
        rows = simulated(1200, seed=seed, prevalence=PREVALENCE)
        treated = treat(arm, rows, Recipe({}, Training()), seed=seed)
        weights = treated.weights if scaled or treated.weights is None else treated.weights / treated.weights.mean()
        raw = make(classifier, seed).fit(treated.features, treated.event, weights).predict_proba(test.features)
        moved, one = offset(raw, fitted_share=treated.share, share=rows.prevalence), unit_weights(FRESH)
        slope = calibration(test.event, moved, one)["calibration_slope"][0]
        found.append((slope, ranking(test.event, moved, one)["auroc"][0]))
    return median(slope for slope, _ in found), fmean(auroc for _, auroc in found)


def main() -> None:
    """Print a line for each classifier and arm."""
    print(f"{'':44}{'slope':>7}{'AUROC':>7}{'slope, mean 1':>15}{'AUROC, mean 1':>15}")
    with one_thread():
        for classifier in get_args(BuiltIn):
            for arm in ARMS:
                cells = (*measured(classifier, arm, scaled=True), *measured(classifier, arm, scaled=False))
                print(f"{classifier:24}{arm:20}{cells[0]:7.2f}{cells[1]:7.3f}{cells[2]:15.2f}{cells[3]:15.3f}", flush=True)


if __name__ == "__main__":
    main()
