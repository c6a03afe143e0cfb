"""One simulated study: what the product says of it, and what is true."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from mgvae.arrays import FloatArray
from mgvae.cohort.rows import Rows
from mgvae.config.study import CohortConfig
from mgvae.evaluation import arms, cross_validation
from mgvae.evaluation.evaluate import evaluate
from mgvae.evaluation.metrics import measure
from mgvae.generator.translation import Synthetic
from mgvae.reproducibility import derive
from mgvae.results.evaluation import EvaluationResult
from tests.benchmarks.truth.worlds import ORACLE, WORLDS, World, draw

FRESH = (3000, 6000)  # patients with and without the event on whom the truth is measured
RANKS = ("auroc", "auprc")


@dataclass
class FreshPatients:
    """Patients whom no study sees; each fold's models predict them too.

    Attributes:
        rows: the patients.
        weights: that restore the prevalence, ``(N, 1)``.
        predicted: by arm, classifier and variant, each fold's probabilities, ``(N,)``.
    """

    rows: Rows
    weights: FloatArray
    predicted: dict[Any, list[FloatArray]] = field(default_factory=dict)

    def truths(self) -> dict[str, dict[str, float]]:
        """Return each recalibrated measure of the folds' models, by ``arm/classifier``.

        Ranks are measured model by model and averaged, other measures on the predictions of all models together.
        """
        event = self.rows.event
        found: dict[str, dict[str, float]] = {}
        for (arm, classifier, variant), predictions in self.predicted.items():
            if variant != "recalibrated":
                continue
            cut = float(np.average(event, weights=self.weights[:, 0]))
            stacked = np.concatenate(predictions)
            many = (np.tile(event, len(predictions)), stacked, np.tile(self.weights, (len(predictions), 1)))
            values = {name: float(value[0]) for name, value in measure(*many, threshold=cut).items()}
            each = [measure(event, one, self.weights, threshold=cut) for one in predictions]
            values |= {name: float(np.mean([one[name][0] for one in each])) for name in RANKS}
            found[f"{arm}/{classifier}"] = values
        return found


def run_study(world_name: str, events: int, number: int, *, seed: int = 0, bootstrap: int = 300) -> dict[str, Any]:
    """Draw a study, evaluate it and return the result with the truth, as plain JSON.

    Args:
        world_name: see `WORLDS`.
        events: how many patients have the event.
        number: which of the studies.
        seed: of all of them.
        bootstrap: resamples behind each interval.
    """
    world, started = WORLDS[world_name], time.process_time()
    base = derive(seed, "truth", world_name, events, number)
    generator = np.random.default_rng(base)
    rows = draw(world, events=events, others=round(events * (1 / world.prevalence - 1)), generator=generator)
    fresh = fresh_patients(world, np.random.default_rng(derive(base, "fresh")))
    with threadpool_limits(1), watched(fresh), oracle(world):
        found = evaluate(rows, None, _config(world, rows, base, bootstrap))
    return {
        "world": world_name,
        "events": events,
        "number": number,
        "seconds": round(time.process_time() - started, 2),
        "truth": fresh.truths(),
        "evaluation": _compact(found),
    }


def fresh_patients(world: World, generator: np.random.Generator) -> FreshPatients:
    """Draw the patients on whom the truth is measured."""
    rows = draw(world, events=FRESH[0], others=FRESH[1], generator=generator)
    share = np.where(rows.event == 1, world.prevalence / FRESH[0], (1 - world.prevalence) / FRESH[1])
    return FreshPatients(rows, (share * len(rows))[:, None])


@contextmanager
def watched(fresh: FreshPatients) -> Iterator[None]:
    """Let the models of every split predict the fresh patients too.

    They are rows to predict like others, and are taken out of the outcome again.
    """
    run_chain: Callable[..., Any] = cross_validation.run_chain

    def run(train: Rows, test: Rows, chain: Any, **options: Any) -> Any:
        features = pd.concat([test.features, fresh.rows.features], ignore_index=True).astype(test.features.dtypes.to_dict())
        nobody = np.full(len(fresh.rows), -1)
        both = Rows(features, np.concatenate([test.event, fresh.rows.event]), np.concatenate([test.group, nobody]))
        outcome = run_chain(train, both, chain, **options)
        for key, values in outcome.probability.items():
            fresh.predicted.setdefault(key, []).append(values[len(test) :])
        cut = {one.name: _first(getattr(outcome, one.name), len(test)) for one in fields(outcome)}
        return replace(outcome, **cut)

    with mock.patch.object(cross_validation, "run_chain", run):
        yield


def _first(value: Any, n: int) -> Any:
    """Return the first ``n`` entries of every array in a field of an outcome."""
    if isinstance(value, Mapping):
        return {key: _first(part, n) for key, part in value.items()}
    return value[:n] if isinstance(value, np.ndarray) else value


@contextmanager
def oracle(world: World) -> Iterator[None]:
    """Let the arm `ORACLE` add real patients with the event who are in no study."""

    def real_cases(rows: Rows, *_: Any, n: int, seed: int, **__: Any) -> Synthetic:
        drawn = draw(world, events=n, others=0, generator=np.random.default_rng(derive(seed, "oracle")))
        return Synthetic(drawn.features, np.full(n, -1))

    with mock.patch.object(arms, "synthetic_cases", real_cases):
        yield


def _config(world: World, rows: Rows, seed: int, bootstrap: int) -> CohortConfig:
    columns: dict[str, Any] = {"id": {"kind": "count", "role": "identifier"}}
    columns |= {str(name): {"kind": "continuous"} for name in rows.features.columns}
    return CohortConfig.model_validate(
        {
            "study": "truth",
            "extract": "none",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": columns},
            "evaluation": {"arms": world.arms, "classifiers": world.classifiers, "bootstrap": bootstrap},
            "seed": seed % 2**32,
        }
    )


def _compact(found: EvaluationResult) -> dict[str, Any]:
    """Return a result without the curves and the variants that no rule reads."""
    content = found.model_dump(mode="json", exclude={"curves", "differences"})
    for classifiers in content["arms"].values():
        for variants in classifiers.values():
            variants.pop("raw", None), variants.pop("offset", None)
    return {**content, "curves": {}, "differences": {}}


__all__ = ["ORACLE", "run_study"]
