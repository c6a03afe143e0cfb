"""The history and the progress of a training, for the stages that train."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from flows.progress import reporter
from flows.study.stages.stage import write_json
from mgvae.results.training import EpochRecord, Pretraining
from mgvae.store.artifact import CLOCK

if TYPE_CHECKING:
    from mgvae.training.early_stopping import History


def training_record(history: History) -> Pretraining:
    """Return a history without its seconds: the same whenever the same is trained."""
    return Pretraining(
        epochs=len(history.epochs) or history.best_epoch,
        seconds=None,
        heldout_elbo=history.heldout_elbo,
        best_epoch=history.best_epoch,
        history=tuple(EpochRecord(**asdict(epoch)) for epoch in history.epochs),
        remarks=history.remarks,
    )


def write_clock(folder: Path, history: History) -> None:
    """Write how long a training took into the file that no digest covers."""
    write_json(folder / CLOCK, {"seconds": history.seconds})


def report_epoch(epoch: int, epochs: int, score: float) -> None:
    """Report that an epoch has ended, with its held-out ELBO."""
    reporter().advanced(epoch, epochs, f"ELBO {score:.2f}")
