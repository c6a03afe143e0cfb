"""Synthetic cases from the artifacts of stages finetune and encode."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

from mgvae.checkpoint import load_checkpoint
from mgvae.config import Training
from mgvae.generator import device_of, synthesise, synthetic_count
from mgvae.sample import Synthetic
from mgvae.threads import one_thread

ROWS = "rows.safetensors"


def translate(finetuned: Path, encoded: Path, training: Training, *, seed: int, n: int | None, prevalence: float) -> Synthetic:
    """Return synthetic cases, translated from the training part's majority.

    Args:
        finetuned: artifact of stage finetune.
        encoded: artifact of stage encode.
        training: the run's settings.
        seed: the same seed gives the same cases.
        n: how many; None for as many as ``prevalence`` asks for, at least one.
        prevalence: share of cases among the training rows once they are added.
    """
    tuned, rows = load_checkpoint(finetuned), load_file(encoded / ROWS)
    device, event = device_of(training), rows["event"]
    wanted = synthetic_count(int(event.sum()), int((~event).sum()), prevalence)
    with one_thread():
        return synthesise(
            tuned.encoding,
            tuned.model.to(device),
            rows["rows"][~event].to(device),
            rows["rows"][event].to(device),
            training,
            n=max(wanted, 1) if n is None else n,
            seed=seed,
            group=torch.cat([rows["group"][~event], rows["group"][event]]).numpy(),
        )
