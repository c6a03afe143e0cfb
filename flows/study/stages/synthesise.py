"""The stage synthesise: translate majority patients into synthetic cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flows.study.stages.encoded import encoded_rows
from flows.study.stages.stage import Inputs, Stage, sections
from mgvae.arrays import IntArray
from mgvae.cohort.rows import cases_to_add
from mgvae.cohort.rules import rules_within
from mgvae.config.study import CohortConfig
from mgvae.generator.release import save_synthetic
from mgvae.generator.synthetic import Synthetic
from mgvae.reproducibility import derive
from mgvae.threads import one_thread


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Translate majority patients: the three files of `save_synthetic`."""
    seed = derive(config.seed, "generator")
    made = translate(inputs["finetune"], inputs["encode"], config, seed=seed, n=None)
    save_synthetic(made, folder)


def translate(finetuned: Path, encoded: Path, config: CohortConfig, *, seed: int, n: int | None) -> Synthetic:
    """Return synthetic cases, translated from the training part's majority.

    Args:
        finetuned: artifact of stage finetune.
        encoded: artifact of stage encode.
        config: the run's settings.
        seed: the same seed gives the same cases.
        n: how many; None for as many as ``synthesis.prevalence`` asks for, at least one.
    """
    from mgvae.generator.synthesis import device_of, synthesise
    from mgvae.training.checkpoint import load_checkpoint

    tuned, rows = load_checkpoint(finetuned), encoded_rows(encoded)
    training, device = config.training, device_of(config.training)
    inputs = rows.inputs(tuned.encoding, device)
    wanted = max(cases_to_add(rows.event, config.synthesis.prevalence), 1) if n is None else n
    rules = rules_within(config.columns, config.columns.features)
    with one_thread():
        model, repair = tuned.model.to(device), config.synthesis.repair
        made = synthesise(inputs, model, training, n=wanted, seed=seed, rules=rules, tilt=tuned.tilt, repair=repair)
    return _among_all(made, rows.places)


def _among_all(made: Synthetic, majority: IntArray) -> Synthetic:
    """Return cases whose parents are counted among all training patients without the event."""
    dropped = None if made.dropped is None else _among_all(made.dropped, majority)
    return replace(made, parent=majority[made.parent], dropped=dropped)


STAGE = Stage("synthesise", make, needs=("encode", "finetune"), reads=sections("columns", "training", "synthesis"))
