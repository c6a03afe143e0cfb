"""The definition of a stage, and the JSON files that stages share."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from mgvae.classifiers.import_path import identities
from mgvae.config.study import CohortConfig

Inputs = Mapping[str, Path]
FRAME = "frame.parquet"  # the extract as read, of stage validate
VALIDATION, DRIFT, HISTORY = "validation.json", "drift.json", "history.json"  # files of typed results in artifacts
SYNTHETIC, EVALUATION = "synthetic.json", "evaluation.json"
EXPLANATIONS, SUBGROUPS = "explanations.json", "subgroups.json"
INSTABILITY, LEARNING_CURVE = "instability.json", "learning_curve.json"
Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True)
class Stage:
    """A stage of a study.

    Its code is the module that defines ``make`` and all that this module imports.

    Attributes:
        name: its name, also its artifact's kind.
        make: ``(config, inputs, folder) -> None``, writes the payload into the empty folder.
        needs: stages whose artifacts it reads.
        reads: the part of the configuration that it depends on; with the inputs and the code it makes the cache key.
    """

    name: str
    make: Callable[[CohortConfig, Inputs, Path], None]
    needs: tuple[str, ...]
    reads: Callable[[CohortConfig], dict[str, Any]]


def followed_horizon(config: CohortConfig, names: Collection[str] = ("outcome",)) -> tuple[str, ...]:
    """Return the key of the horizon where the outcome is that at the horizon, and a stage that reads ``names`` reads it."""
    return ("horizon_days",) if "outcome" in names and config.outcome.follow_up is not None else ()


def sections(*names: str) -> Callable[[CohortConfig], dict[str, Any]]:
    """Return a function that picks the seed and the named sections of a configuration.

    With the section on the evaluation goes what identifies the code of a user's own classifiers, with the outcome the horizon
    where patients are followed to it.
    """

    def picked(config: CohortConfig) -> dict[str, Any]:
        read = {"seed": config.seed, **config.model_dump(mode="json", include={*names, *followed_horizon(config, names)})}
        own = config.evaluation.own_classifiers if "evaluation" in names else {}
        return read | ({"own_classifiers": identities(own)} if own else {})

    return picked


def with_majority(reads: Callable[[CohortConfig], dict[str, Any]]) -> Callable[[CohortConfig], dict[str, Any]]:
    """Return what ``reads`` picks, and how many patients without the event are learned from."""

    def picked(config: CohortConfig) -> dict[str, Any]:
        return reads(config) | {"majority_rows": config.evaluation.majority_rows}

    return picked


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as strict JSON: no NaN, no infinity."""
    path.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_result(path: Path, result: BaseModel) -> None:
    """Write a typed result as strict JSON."""
    write_json(path, result.model_dump(mode="json"))


def read_result(path: Path, model: type[Result]) -> Result:
    """Return a typed result that `write_result` wrote."""
    return model.model_validate_json(path.read_text(encoding="utf-8"))
