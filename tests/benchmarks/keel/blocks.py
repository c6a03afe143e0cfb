"""Blocks of the benchmark, a set with a seed and a fold each, and the file that holds those that are done."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, balanced_accuracy_score, brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from mgvae.reproducibility import derive
from tests.benchmarks.keel.arms import identity, probabilities, treated
from tests.benchmarks.keel.sets import Described, load
from tests.benchmarks.keel.trained import kept_training

MEASURES = ("average_precision", "auroc", "balanced_accuracy", "brier")
FOLDS = 5
THRESHOLD = 0.5


@dataclass(frozen=True)
class Block:
    """One set, seed and fold."""

    name: str
    seed: int
    fold: int


@dataclass(frozen=True)
class Measured:
    """An arm on one block.

    Attributes:
        identity: digest of the arm's code; results of another identity are not used.
        seconds: of treating the training rows.
        refused: the sampler could make no rows.
        scores: by classifier, the ``MEASURES`` of raw probabilities on the block's real test rows.
    """

    identity: str
    seconds: float
    refused: bool
    scores: dict[str, dict[str, float]]


Done = dict[Block, dict[str, Measured]]


def blocks(sets: Sequence[Described], *, seeds: int, folds: int = FOLDS) -> list[Block]:
    """Return all blocks; every set is in the first ``len(sets)`` of them, so that a stopped run has seen each."""
    return [Block(one.name, seed, fold) for seed in range(seeds) for fold in range(folds) for one in sets]


def read(path: Path, *, current: bool = True) -> Done:
    """Return the blocks of a file; with ``current``, only arms whose code is unchanged. A torn last line is left out."""
    out: Done = {}
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for line in text.split("\n")[:-1]:
        entry = json.loads(line)
        arms = {arm: Measured(**values) for arm, values in entry["arms"].items()}
        fresh = {arm: values for arm, values in arms.items() if not current or values.identity == identity(arm)}
        out.setdefault(Block(entry["set"], entry["seed"], entry["fold"]), {}).update(fresh)
    return out


def append(path: Path, block: Block, arms: dict[str, Measured]) -> None:
    """Add a block in a single write; what a stopped write left of a line goes first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and (old := path.read_bytes()) and not old.endswith(b"\n"):
        os.truncate(path, old.rfind(b"\n") + 1)
    entry = {"set": block.name, "seed": block.seed, "fold": block.fold, "arms": {arm: asdict(got) for arm, got in arms.items()}}
    with path.open("ab") as file:
        file.write((json.dumps(entry) + "\n").encode())


def run(todo: Iterable[Block], arms: Sequence[str], path: Path, *, minutes: float) -> bool:
    """Measure what ``path`` lacks until the time is over; say whether all is done. A block that has begun is finished."""
    stop, done = time.monotonic() + 60 * minutes, read(path)
    for block in todo:
        lacking = [arm for arm in arms if arm not in done.get(block, {})]
        if not lacking:
            continue
        if time.monotonic() >= stop:
            return False
        start = time.monotonic()
        with kept_training(path.with_name("trained")):
            append(path, block, measure(block, lacking))
        print(
            f"{block.name} seed {block.seed} fold {block.fold}: {time.monotonic() - start:.1f} s", file=sys.stderr, flush=True
        )
    return True


def measure(block: Block, arms: Sequence[str]) -> dict[str, Measured]:
    """Return the measures of ``arms`` on a block."""
    table, seed = load(block.name), derive(block.seed, block.name) % 2**31
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    train, test = list(split.split(table.columns, table.event))[block.fold]
    out = {}
    for arm in arms:
        rows = treated(arm, table.columns[train], table.event[train], seed=derive(seed, block.fold))
        risks = probabilities(arm, rows, table.columns[test], seed=derive(seed, block.fold))
        scores = {name: score(table.event[test], risk) for name, risk in risks.items()}
        out[arm] = Measured(identity(arm), rows.seconds, rows.refused, scores)
    return out


def score(event: NDArray[np.int64], risk: NDArray[np.float64]) -> dict[str, float]:
    """Return the ``MEASURES`` of raw probabilities ``(m,)``."""
    return {
        "average_precision": float(average_precision_score(event, risk)),
        "auroc": float(roc_auc_score(event, risk)),
        "balanced_accuracy": float(balanced_accuracy_score(event, risk >= THRESHOLD)),
        "brier": float(brier_score_loss(event, risk)),
    }
