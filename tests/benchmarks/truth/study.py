"""One simulated study: what the product says of it, and what is true."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mgvae.arrays import FloatArray
from mgvae.classifiers.recalibration import offset
from mgvae.cohort.rows import Rows
from mgvae.config.sections import Arm
from mgvae.config.study import CohortConfig
from mgvae.evaluation import cells, cross_validation
from mgvae.evaluation.evaluate import evaluate
from mgvae.evaluation.fits import Fit
from mgvae.evaluation.measures.net_benefit import threshold_grid, threshold_range
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.metrics import measure_probabilities
from mgvae.evaluation.one_split import ArmOutcome
from mgvae.generator.synthetic import Synthetic
from mgvae.reproducibility import derive
from mgvae.results.evaluation import EvaluationResult
from tests.benchmarks.truth.worlds import WORLDS, World, draw

FRESH = (2000, 4000)  # patients with and without the event on whom the truth is measured
TESTED = re.compile(r"repeat-\d+-without-\d+")  # the fits that test a fold
RANKS = ("auroc", "auprc")


@dataclass
class FreshPatients:
    """Patients whom no study sees; each fold's models predict them too.

    Attributes:
        rows: the patients.
        weights: that restore the prevalence, ``(N, 1)``.
        predicted: by ``arm/classifier``, the recalibrated probabilities of each fold's model, ``(N,)``.
    """

    rows: Rows
    weights: FloatArray
    predicted: dict[str, list[FloatArray]] = field(default_factory=dict)

    def truths(self) -> dict[str, dict[str, float]]:
        """Return each measure of the folds' models, by ``arm/classifier``.

        Ranks are measured model by model and averaged, other measures on the predictions of all models together.
        """
        event = self.rows.event
        prevalence = float(np.average(event, weights=self.weights[:, 0]))
        grid = threshold_grid(threshold_range(prevalence, None))
        cut = {"threshold": prevalence, "thresholds": grid}
        found: dict[str, dict[str, float]] = {}
        for name, predictions in self.predicted.items():
            many = (np.tile(event, len(predictions)), np.concatenate(predictions), np.tile(self.weights, (len(predictions), 1)))
            values = {measure: float(value[0]) for measure, value in measure_probabilities(*many, **cut).items()}
            each = [ranking(event, one, self.weights) for one in predictions]
            found[name] = values | {rank: float(np.mean([one[rank][0] for one in each])) for rank in RANKS}
        return found


@dataclass(frozen=True)
class Task:
    """Which simulated study.

    Attributes:
        world: its name.
        events: how many patients have the event.
        number: which of the studies of this kind.
        seed: of all studies.
    """

    world: str
    events: int
    number: int
    seed: int = 0


def run_study(task: Task, *, bootstrap: int = 300, repeats: int = 1) -> dict[str, Any]:
    """Draw a study, evaluate it, and return the result with the truth as plain JSON."""
    world, started = WORLDS[task.world], time.process_time()
    base = derive(task.seed, "truth", task.world, task.events, task.number)
    generator = np.random.default_rng(base)
    rows = draw(world, events=task.events, others=round(task.events * (1 / world.prevalence - 1)), generator=generator)
    fresh = fresh_patients(world, np.random.default_rng(derive(base, "fresh")))
    single = mock.patch.object(cells, "one_thread", return_value=nullcontext())  # one limit for all cells is quicker
    with threadpool_limits(1), single, watched(fresh), oracle(world, task.events):
        found, _ = evaluate(rows, None, _config(world, rows, base, bootstrap=bootstrap, repeats=repeats))
    seconds = round(time.process_time() - started, 2)
    return {**asdict(task), "seconds": seconds, "truth": fresh.truths(), "evaluation": _compact(found)}


def fresh_patients(world: World, generator: np.random.Generator) -> FreshPatients:
    """Draw the patients on whom the truth is measured."""
    rows = draw(world, events=FRESH[0], others=FRESH[1], generator=generator)
    share = np.where(rows.event == 1, world.prevalence / FRESH[0], (1 - world.prevalence) / FRESH[1])
    return FreshPatients(rows, (share * len(rows))[:, None])


@contextmanager
def watched(fresh: FreshPatients) -> Iterator[None]:
    """Let the models of every tested fold predict the fresh patients too, recalibrated as for the fold."""
    run_cell, variants = cells.run_cell, cross_validation._Assembly._variants
    raw: dict[tuple[str, str], dict[Any, FloatArray]] = {}

    def run(rows: Rows, fit: Fit, arm: Arm, chain: Any) -> tuple[ArmOutcome, float]:
        if not TESTED.fullmatch(fit.name):
            return run_cell(rows, fit, arm, chain)
        n, more = len(fit.predicted), np.arange(len(rows), len(rows) + len(fresh.rows))
        wider = replace(fit, predicted=np.concatenate([fit.predicted, more]))
        outcome, seconds = run_cell(_together(rows, fresh.rows), wider, arm, chain)
        raw[fit.name, arm] = {name: values[n:] for name, values in outcome.raw.items()}
        return replace(outcome, raw={name: values[:n] for name, values in outcome.raw.items()}), seconds

    def recalibrated(self: Any, name: str, model: Any, recalibration: Any) -> Any:
        arm, classifier = model
        share = self.outcomes[name][arm].fitted_share
        moved = offset(raw[name, arm][classifier], fitted_share=share, share=self._prevalence(name))
        fresh.predicted.setdefault(f"{arm}/{classifier}", []).append(recalibration(moved))
        return variants(self, name, model, recalibration)

    with mock.patch.object(cells, "run_cell", run), mock.patch.object(cross_validation._Assembly, "_variants", recalibrated):
        yield


def _together(rows: Rows, others: Rows) -> Rows:
    features = pd.concat([rows.features, others.features], ignore_index=True).astype(rows.features.dtypes.to_dict())
    group = np.concatenate([rows.group, np.full(len(others), -1)])
    return Rows(features, np.concatenate([rows.event, others.event]), group)


@contextmanager
def oracle(world: World, events: int) -> Iterator[None]:
    """Let the arm `ORACLE` add real patients with the event who are in no study."""

    def real_cases(rows: Rows, *_: Any, n: int, seed: int, **__: Any) -> Synthetic:
        cases = min(n, world.fresh_cases.get(events, n))
        drawn = draw(world, events=cases, others=0, generator=np.random.default_rng(derive(seed, "oracle")))
        return Synthetic(drawn.features, np.full(cases, -1))

    with mock.patch("mgvae.generator.synthesis.synthetic_cases", real_cases):
        yield


def _config(world: World, rows: Rows, seed: int, **settings: int) -> CohortConfig:
    columns: dict[str, Any] = {"id": {"kind": "count", "role": "identifier"}}
    columns |= {str(name): {"kind": "continuous"} for name in rows.features.columns}
    return CohortConfig.model_validate(
        {
            "study": "truth",
            "extract": "none",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": columns},
            "evaluation": {"arms": world.arms, "classifiers": world.classifiers, **settings},
            "seed": seed % 2**32,
        }
    )


def _compact(found: EvaluationResult) -> dict[str, Any]:
    """Return a result without the curves and the variants that no rule reads."""
    content = found.model_dump(mode="json", exclude={"curves", "differences"})
    for classifiers in content["arms"].values():
        for variants in classifiers.values():
            for unread in ("raw", "offset"):
                variants.pop(unread, None)
    return {**content, "curves": {}, "differences": {}}
