"""What the stages that train share: the history of a training and its progress."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.progress import reporter
from flows.study.stages.stage import write_json
from mgvae.store.artifact import CLOCK
from mgvae.training.loops import History


def write_history(folder: Path, history: History, more: Mapping[str, Any]) -> None:
    """Write ``history.json``, the same whenever the same is trained, and separately how long that took."""
    facts = {
        "epochs": len(history.epochs),
        "heldout_elbo": history.heldout_elbo,
        "best_epoch": history.best_epoch,
        "history": [asdict(epoch) for epoch in history.epochs],
    }
    write_json(folder / "history.json", {**facts, **more})
    write_json(folder / CLOCK, {"seconds": history.seconds})


def report_epoch(epoch: int, epochs: int, score: float) -> None:
    """Report that an epoch has ended, with its held-out ELBO."""
    reporter().advanced(epoch, epochs, f"ELBO {score:.2f}")
