"""The file of results: one JSON line per cohort, arm, seed and fold, holding measures and counts, never a row of a cohort."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """What is known of one arm on one fold.

    Attributes:
        cohort, arm, seed, fold: which.
        n_train, n_test: real rows.
        seconds: of resampling.
        scores: by classifier, the ``MEASURES``, and events and the sum of predicted probabilities on the test rows.
    """

    cohort: str
    arm: str
    seed: int
    fold: int
    n_train: int
    n_test: int
    seconds: float
    scores: dict[str, dict[str, float]] = field(default_factory=dict)


def read(path: Path) -> dict[str, Result]:
    """Return the results that a file holds, by key; lines with the same key add classifiers to one another."""
    out: dict[str, Result] = {}
    if not path.exists():
        return out
    for line in path.read_text(encoding="utf-8").splitlines():
        values = json.loads(line)
        key = values.pop("key")
        if key in out:
            out[key].scores.update(values["scores"])
        else:
            out[key] = Result(**values)
    return out


def append(path: Path, key: str, result: Result) -> None:
    """Add one result; a single write, so that several studies may share the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"key": key, **vars(result)}) + "\n"
    out = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(out, line.encode())
    finally:
        os.close(out)
