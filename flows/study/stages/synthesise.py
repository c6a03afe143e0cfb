"""The stage synthesise: translate majority patients into synthetic cases."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.encoded import encoded_rows
from flows.study.stages.stage import Inputs, Stage, sections
from mgvae.cohort.rows import cases_to_add
from mgvae.config.sections import Training
from mgvae.config.study import CohortConfig
from mgvae.generator.release import save_synthetic
from mgvae.generator.synthesis import device_of, synthesise
from mgvae.generator.translation import Synthetic
from mgvae.reproducibility import derive
from mgvae.torch_runtime import one_thread
from mgvae.training.checkpoint import load_checkpoint
from mgvae.training.inputs import divide_by_event


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Translate majority patients: the three files of `save_synthetic`."""
    seed, prevalence = derive(config.seed, "generator"), config.synthesis.prevalence
    made = translate(inputs["finetune"], inputs["encode"], config.training, seed=seed, n=None, prevalence=prevalence)
    save_synthetic(made, folder)


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
    tuned, rows = load_checkpoint(finetuned), encoded_rows(encoded)
    device, event = device_of(training), rows["event"].numpy()
    inputs = divide_by_event(tuned.encoding, rows["rows"].to(device), event, rows["group"].numpy())
    wanted = cases_to_add(event, prevalence)
    with one_thread():
        return synthesise(inputs, tuned.model.to(device), training, n=max(wanted, 1) if n is None else n, seed=seed)


STAGE = Stage("synthesise", make, needs=("encode", "finetune"), reads=sections("training", "synthesis"))
