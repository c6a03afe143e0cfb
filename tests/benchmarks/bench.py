"""Ratios of speed in one run, a table of complexity, and a history that names what became slower.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench [--seed 0] [--rounds 15] [--full] [--history FILE] [--keep | --no-keep]

Ours against a plain implementation of the published objective (a step of training), SMOTENC, CTGAN and TVAE of package ctgan
(where it is installed; 31 of the 300 epochs of CTGAN are timed and stand for the rest), and scikit-learn alone on the same
folds. Both sides take turns, on one thread; seconds are those of the processor, the fewest of all rounds: other work on the
machine hardly shows. A ratio is their seconds over ours.

Results are appended to the history, with machine, versions and seed, unless a ratio fell by more than 15 % against the last
kept result of the same machine: that is named, exit code 1, and kept with ``--keep`` alone.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTENC
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mgvae.cohort.rows import Rows
from mgvae.config.sections import Training
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.cells import compute_cells
from mgvae.evaluation.fits import Fit, plan_folds
from mgvae.evaluation.one_split import Chain
from mgvae.threads import one_thread
from tests.benchmarks.complexity import complexity, print_complexity
from tests.benchmarks.oversamplers.generators import ctgan_cases
from tests.benchmarks.oversamplers.speed import simulated
from tests.benchmarks.published_objective import generated, make_task, reference_stepper, stepper
from tests.paths import ROOT

HISTORY = ROOT / "docs" / "results" / "bench.jsonl"
FALL = 0.15
VERSIONS = ("torch", "numpy", "pandas", "scikit-learn", "imbalanced-learn", *(("ctgan",) if find_spec("ctgan") else ()))
ROWS, FOLD_ROWS = 4000, 6000
DEFAULT_EPOCHS = 300
TIMED_EPOCHS = {"ctgan": 30, "tvae": DEFAULT_EPOCHS - 1}  # after the first
Ways = Mapping[str, Callable[[], object]]


def main() -> int:
    """Measure, print, compare with the history and append to it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--full", action="store_true", help="tables of up to 1,000,000 rows and 1,000 columns, hours")
    parser.add_argument("--history", type=Path, default=HISTORY)
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=None)
    options = parser.parse_args()
    with one_thread():
        ratios = measured_ratios(options.seed, options.rounds)
        table = complexity(options.seed, full=options.full)
    result = {**environment(options.seed), "ratios": ratios, "exponents": print_complexity(table), "complexity": table}
    fallen = falls(last_kept(options.history, result["machine"]), ratios)
    for sentence in fallen:
        print(sentence)
    if options.keep or (options.keep is None and not fallen):
        with options.history.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")
        print(f"kept in {options.history}")
    return 1 if fallen else 0


def environment(seed: int) -> dict[str, object]:
    """Return when, where and with what a result was measured."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in VERSIONS},
        "seed": seed,
    }


def machine() -> str:
    """Return the processor's name and the number of cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"


def measured_ratios(seed: int, rounds: int) -> dict[str, float]:
    """Print the seconds of both sides of each comparison; return theirs over ours."""
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}, seed {seed}; seconds of the processor, one thread")
    print(f"{'against':26} {'theirs':>9} {'ours':>9} {'ratio':>7}", flush=True)
    found = {}
    for name, (ways, times) in comparisons(seed).items():
        seconds = fewest_seconds(ways, min(rounds, times))
        theirs, ours = seconds["theirs"], seconds["ours"]
        found[name] = round(theirs / ours, 4)
        print(f"{name:26} {theirs:9.3f} {ours:9.3f} {theirs / ours:7.2f}", flush=True)
    if find_spec("ctgan") is None:
        print("CTGAN, TVAE                not installed: pip install -c constraints.txt -e '.[bench]'")
    return found


def comparisons(seed: int) -> dict[str, tuple[Ways, int]]:
    """Return both sides of each comparison, and most rounds: the last ones take long."""
    features, event = simulated(ROWS, seed=seed)
    ways: dict[str, tuple[Ways, int]] = {
        "published objective, step": (training_steps(seed), 20),
        "scikit-learn, same folds": (folds(seed), 3),
        "SMOTENC": ({"theirs": lambda: smotenc(features, event, seed), "ours": lambda: resampled(features, event, seed)}, 1),
    }
    if find_spec("ctgan") is not None:
        for kind in ("ctgan", "tvae"):
            package = _package(kind, features, event, seed)
            ways[kind.upper()] = ({"theirs": package, "ours": lambda: resampled(features, event, seed)}, 1)
    return ways


def fewest_seconds(ways: Ways, rounds: int) -> dict[str, float]:
    """Return the fewest processor seconds of each way, all taking turns; a way may return its seconds itself."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.process_time()
            own = work()
            taken = own if isinstance(own, float) else time.process_time() - start
            seconds[name] = min(seconds[name], taken)
    return seconds


def training_steps(seed: int) -> Ways:
    """Return ten steps of pre-training, in the published setting, by the plain objective and by ours."""
    task = make_task(generated(seed)[0], 1, seed)
    some = task.settings.model_copy(update={"exemplars": Training().exemplars})
    plain, ours = reference_stepper(task), stepper(task, None, some)

    def ten(step: Callable[[], object]) -> Callable[[], object]:
        return lambda: [step() for _ in range(10)] and None

    return {"theirs": ten(plain), "ours": ten(ours)}


def folds(seed: int) -> Ways:
    """Return the fits of a cross-validation of two classifiers, by scikit-learn's pipelines and by the evaluation."""
    features, event = simulated(FOLD_ROWS, seed=seed)
    rows = Rows(features, event.astype(np.int64), np.arange(len(features)))
    fits = plan_folds(rows, n_folds=5, repeats=1, seed=seed).fits
    recipe = Recipe(columns={}, training=Training())
    chain = Chain(("none",), ("logistic_regression", "hist_gradient_boosting"), recipe)
    return {"theirs": lambda: plain_folds(rows, fits), "ours": lambda: compute_cells(rows, fits, chain)}


def plain_folds(rows: Rows, fits: Mapping[str, Fit]) -> dict[str, list[np.ndarray]]:
    """Return what scikit-learn's pipelines predict on the same fits, with the settings of our classifiers."""
    numeric = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    nominal = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    select = make_column_selector(dtype_include="category"), make_column_selector(dtype_exclude="category")
    boosted = {"learning_rate": 0.05, "max_iter": 150, "max_leaf_nodes": 4, "max_features": 0.3, "min_samples_leaf": 40}
    found: dict[str, list[np.ndarray]] = {}
    for name, fit in fits.items():
        train, test = rows.take(fit.fitted), rows.take(fit.predicted)
        linear = make_pipeline(
            make_column_transformer((nominal, select[0]), (numeric, select[1])), LogisticRegression(C=0.1, max_iter=2000)
        )
        trees = HistGradientBoostingClassifier(
            **boosted, l2_regularization=5.0, early_stopping=False, categorical_features="from_dtype", random_state=0
        )
        models = (linear, trees)
        found[name] = [model.fit(train.features, train.event).predict_proba(test.features)[:, 1] for model in models]
    return found


def resampled(features: pd.DataFrame, event: np.ndarray, seed: int) -> None:
    """Balance a table by the library's sampler."""
    from mgvae import MGVAEOverSampler

    MGVAEOverSampler(random_state=seed).fit_resample(features, event.astype(np.int64))


def smotenc(features: pd.DataFrame, event: np.ndarray, seed: int) -> None:
    """Balance a table by SMOTENC, which takes no missing cells: they are filled by each column's mode."""
    columns = features.fillna(features.mode().iloc[0])
    SMOTENC(categorical_features="auto", random_state=seed).fit_resample(columns, event.astype(np.int64))


def last_kept(history: Path, where: object) -> dict[str, float]:
    """Return the ratios of the last result of a machine; none where there is no such result."""
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    found = [result for line in lines if (result := json.loads(line))["machine"] == where]
    return dict(found[-1]["ratios"]) if found else {}


def falls(before: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """Return a sentence for each ratio that fell by more than 15 %."""
    return [
        f"SLOWER: {name}: ratio {now[name]:.2f}, {1 - now[name] / ratio:.0%} less than {ratio:.2f} of the last kept result"
        for name, ratio in before.items()
        if name in now and now[name] < (1 - FALL) * ratio
    ]


def _package(kind: str, features: pd.DataFrame, event: np.ndarray, seed: int) -> Callable[[], float]:
    """Return a function that trains a generator of package ctgan on the table, and returns the seconds of all its epochs."""
    timed = TIMED_EPOCHS[kind]
    table = features.assign(event=pd.Categorical(event.astype(str)))

    def seconds(epochs: int) -> float:
        start = time.process_time()
        ctgan_cases(kind, table, n=len(table), seed=seed, epochs=epochs)
        return time.process_time() - start

    def all_epochs() -> float:
        one = seconds(1)
        return one + (DEFAULT_EPOCHS - 1) * (seconds(1 + timed) - one) / timed

    return all_epochs


if __name__ == "__main__":
    raise SystemExit(main())
