"""The stage pretrain: train on the majority."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.encoded import encoded_rows
from flows.study.stages.stage import HISTORY, Inputs, Stage, read_json, sections, write_result
from flows.study.stages.training import report_epoch, training_record, write_clock
from mgvae.config.study import CohortConfig
from mgvae.generator.synthesis import device_of, pretrain_majority
from mgvae.model.encoding import encoding_from_json
from mgvae.reproducibility import derive
from mgvae.results.training import PretrainRecord
from mgvae.torch_runtime import one_thread
from mgvae.training.checkpoint import save_checkpoint


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Train on the majority; write checkpoint, ``history.json``, ``clock.json``."""
    training, rows = config.training, encoded_rows(inputs["encode"])
    majority = ~rows["event"]
    encoding = encoding_from_json(read_json(inputs["encode"] / "encoding.json"))
    with one_thread():
        trained = pretrain_majority(
            encoding,
            rows["rows"][majority].to(device_of(training)),
            rows["group"][majority].numpy(),
            training,
            seed=derive(config.seed, "generator"),
            on_epoch=report_epoch,
        )
    save_checkpoint(folder, trained.model, encoding, training, anchor=trained.anchor)
    parameters, device = trained.model.n_parameters(), device_of(training).type
    record = PretrainRecord(device=device, parameters=parameters, pretrain=training_record(trained.history))
    write_result(folder / HISTORY, record)
    write_clock(folder, trained.history)


STAGE = Stage("pretrain", make, needs=("encode",), reads=sections("training"))
