"""How the settings of the classifiers were chosen: cross-validation without correction over five public cohorts.

python -m tests.benchmarks.classifier_settings --data ../shared/data [--only forest]      # about 4 minutes of one core
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.elastic_net import ElasticNetModel
from mgvae.classifiers.mlp import Fitting, MLPModel
from mgvae.classifiers.models import BoostingModel, ForestModel, LogisticModel
from mgvae.cohort.rows import Rows, rows
from mgvae.cohort.split import folds
from mgvae.reproducibility import numpy_generator
from mgvae.threads import one_thread
from tests.benchmarks.oversamplers.cohorts import DATA, load

COHORTS = ("actg320", "mi_rupture", "mi_fibrillation", "nafld", "crash2")
MOST_ROWS = 6000  # of a cohort, at random
MEASURES = ("AUROC", "log-likelihood", "Brier")  # the last two as skill: 0 for the prevalence, 1 for certainty


def candidates() -> dict[str, Callable[[], Classifier]]:
    """Return classifiers by name; those of the product first in their kind."""
    found: dict[str, Callable[[], Classifier]] = {
        "logistic regression": LogisticModel,
        "boosting": lambda: BoostingModel(seed=0),
        "elastic net": ElasticNetModel,
        "forest": lambda: ForestModel(seed=0),
        "mlp": lambda: MLPModel(seed=0),
    }
    for leaf in (0.3, 0.45, 0.6, 1.2):
        found[f"forest, leaf {leaf}"] = lambda leaf=leaf: ForestModel(seed=0, leaf_information=leaf)
    found["forest, sqrt of the columns"] = lambda: ForestModel(seed=0, max_features="sqrt")
    for how in (
        {"decay": 0.3},
        {"decay": 3.0},
        {"decay": 10.0},
        {"decay": 30.0},
        {"hidden": 16},
        {"hidden": 32},
        {"members": 3},
    ):
        name = ", ".join(f"{key} {value}" for key, value in how.items())
        found[f"mlp, {name}"] = lambda how=how: MLPModel(seed=0, fitting=Fitting(**how))
    return found


def skill(cohort: Rows, make: Callable[[], Classifier]) -> tuple[np.ndarray, float]:
    """Return the measures of out-of-fold probabilities, and the seconds of a fit."""
    p, spent = np.zeros(len(cohort)), []
    for train, test in folds(cohort.event == 1, cohort.group, n_folds=5, seed=0):
        start = time.process_time()
        model = make().fit(cohort.features.iloc[train].reset_index(drop=True), cohort.event[train])
        spent.append(time.process_time() - start)
        p[test] = model.predict_proba(cohort.features.iloc[test]).clip(1e-6, 1 - 1e-6)
    base = np.full(len(p), cohort.prevalence)
    gain = [1 - loss(cohort.event, p) / loss(cohort.event, base) for loss in (log_loss, brier_score_loss)]
    return np.array([roc_auc_score(cohort.event, p), *gain]), float(np.mean(spent))


def some(name: str, data: Path) -> Rows:
    """Return a cohort, at most ``MOST_ROWS`` of its rows."""
    table = load(name, data=data)
    whole = rows(table.features, table.event, table.group)
    kept = np.zeros(len(whole), dtype=bool)
    kept[numpy_generator(0, name).permutation(len(whole))[:MOST_ROWS]] = True
    return whole.take(kept)


def main() -> None:
    """Print the mean of each measure over the cohorts, a line a candidate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the data sets that do not ship with the project")
    parser.add_argument("--only", default="", help="candidates whose name begins with this")
    options = parser.parse_args()
    cohorts = [some(name, options.data) for name in COHORTS]
    print(f"{'':32}{MEASURES[0]:>8}{MEASURES[1]:>16}{MEASURES[2]:>8}{'s a fit':>10}")
    with one_thread():
        for name, make in candidates().items():
            if name.startswith(options.only):
                found = [skill(cohort, make) for cohort in cohorts]
                auroc, likelihood, brier = np.mean([measures for measures, _ in found], axis=0)
                seconds = np.mean([spent for _, spent in found])
                print(f"{name:32}{auroc:8.3f}{likelihood:16.3f}{brier:8.3f}{seconds:10.2f}", flush=True)


if __name__ == "__main__":
    main()
