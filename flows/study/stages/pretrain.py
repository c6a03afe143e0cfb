"""The stage pretrain: train on the majority."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import HISTORY, Inputs, Stage, read_json, sections, write_result
from flows.study.stages.training import training_record, write_clock
from mgvae.config.study import CohortConfig
from mgvae.reproducibility import derive
from mgvae.results.training import PretrainRecord


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Train on the majority; write checkpoint, ``history.json``, ``clock.json``."""
    from flows.study.stages.shared_pretraining import pretrained
    from mgvae.generator.synthesis import device_of
    from mgvae.model.encoding import encoding_from_json
    from mgvae.training.checkpoint import save_checkpoint

    training = config.training
    encoding = encoding_from_json(read_json(inputs["encode"] / "encoding.json"))
    trained = pretrained(inputs["encode"], encoding, training, seed=derive(config.seed, "generator"))
    save_checkpoint(folder, trained.model, encoding, training, anchor=trained.anchor)
    parameters, device = trained.model.n_parameters(), device_of(training).type
    record = PretrainRecord(device=device, parameters=parameters, pretrain=training_record(trained.history))
    write_result(folder / HISTORY, record)
    write_clock(folder, trained.history)


STAGE = Stage("pretrain", make, needs=("encode",), reads=sections("training"))
