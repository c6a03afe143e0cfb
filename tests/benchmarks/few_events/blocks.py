"""One block: a cohort halved, the events of one half cut to a few, models fitted there and tested on the other half."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.factory import make
from mgvae.classifiers.recalibration import fit_recalibration, to_logit
from mgvae.cohort.split import folds
from mgvae.reproducibility import derive, numpy_generator
from tests.benchmarks.averages import averaged, members_of
from tests.benchmarks.oversamplers.cohorts import Table

SINGLE = ("logistic_regression", "hist_gradient_boosting", "random_forest", "majority_guided")
AVERAGES = {"ensemble": "ensemble", "ensemble with guided": "guided_ensemble"}  # of models that are fitted already
MODELS = (*SINGLE, "mean of LR and boosting", *AVERAGES)
INNER_FOLDS = 4  # whose predictions recalibrate


@dataclass(frozen=True)
class Block:
    """What is measured: ``events`` of half of a cohort."""

    cohort: str
    events: int
    repeat: int

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.cohort}/{self.events}/{self.repeat}"


@dataclass(frozen=True)
class Scores:
    """Measures of a model on the other half; Brier score and slope after recalibration."""

    auroc: float
    auprc: float
    brier: float
    slope: float


def blocks(cohorts: Iterable[str], events: Iterable[int], repeats: int) -> Iterator[Block]:
    """Yield the blocks, those of the first repeat first."""
    cohorts, events = list(cohorts), list(events)
    return (Block(cohort, count, repeat) for repeat in range(repeats) for count in events for cohort in cohorts)


def measure(table: Table, block: Block) -> dict[str, Scores] | None:
    """Return each model's scores; None where the half has too few events."""
    seed = derive(0, "few events", block.key)
    draws = numpy_generator(seed, "halves")
    groups = draws.permutation(np.unique(table.group))
    first = np.isin(table.group, groups[: len(groups) // 2])
    event = table.event.astype(np.int64)
    cases = draws.permutation(np.flatnonzero(first & (event == 1)))
    if len(cases) < block.events:
        return None
    fitted = first.copy()
    fitted[cases[block.events :]] = False
    train = table.features[fitted].reset_index(drop=True), event[fitted], table.group[fitted]
    test = table.features[~first].reset_index(drop=True)
    found = _predictions(train[0], train[1], test, seed)
    inner = {name: np.zeros(len(train[1])) for name in found}
    parts = folds(train[1] == 1, train[2], n_folds=min(INNER_FOLDS, block.events), seed=derive(seed, "inner"))
    for number, (kept, held) in enumerate(parts):
        features = (train[0].iloc[rows].reset_index(drop=True) for rows in (kept, held))
        for name, values in _predictions(next(features), train[1][kept], next(features), derive(seed, number)).items():
            inner[name][held] = values
    return {name: _scores(event[~first], p, train[1], inner[name]) for name, p in found.items()}


def _predictions(features: pd.DataFrame, event: IntArray, test: pd.DataFrame, seed: int) -> dict[str, FloatArray]:
    """Return each model's probabilities for the test rows."""
    fitted: dict[str, Classifier] = {name: make(name, derive(seed, name)).fit(features, event) for name in SINGLE}
    out = {name: model.predict_proba(test) for name, model in fitted.items()}
    pair = [to_logit(fitted[name].predict_proba(features)).std() for name in SINGLE[:2]]
    lines = [to_logit(out[name]) / spread for name, spread in zip(SINGLE[:2], pair, strict=True)]
    out["mean of LR and boosting"] = expit(np.mean(lines, axis=0) * np.mean(pair))
    for title, name in AVERAGES.items():
        out[title] = averaged(members_of(name), fitted, seed).fit(features, event).predict_proba(test)
    return out


def _scores(event: IntArray, p: FloatArray, own_event: IntArray, own: FloatArray) -> Scores:
    recalibrated = fit_recalibration(own_event, own)(p)
    line = LogisticRegression(C=np.inf).fit(to_logit(recalibrated)[:, None], event)
    return Scores(
        auroc=float(roc_auc_score(event, p)),
        auprc=float(average_precision_score(event, p)),
        brier=float(brier_score_loss(event, recalibrated)),
        slope=float(line.coef_[0, 0]),
    )


def read(path: Path) -> dict[str, dict[str, Scores] | None]:
    """Return the results in a file, by key; none where it does not exist."""
    if not path.is_file():
        return {}
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}"))
    return {line["key"]: line["scores"] and {name: Scores(**one) for name, one in line["scores"].items()} for line in lines}


def compute(tables: dict[str, Table], wanted: Iterable[Block], path: Path, *, minutes: float) -> None:
    """Measure what the file lacks, a line a block, until the time is over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known, end = read(path), time.monotonic() + 60 * minutes
    if path.is_file() and not path.read_bytes().endswith(b"\n"):
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")  # after a line that was cut off
    for block in wanted:
        if block.key in known:
            continue
        if time.monotonic() > end:
            return
        found = measure(tables[block.cohort], block)
        scores = found and {name: asdict(one) for name, one in found.items()}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": block.key, "scores": scores}) + "\n")
