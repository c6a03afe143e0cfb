"""The stage finetune: fine-tune on the rare cases with EWC."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flows.study.stages.encoded import encoded_rows
from flows.study.stages.stage import HISTORY, Inputs, Stage, sections, write_result
from flows.study.stages.training import report_epoch, training_record, write_clock
from mgvae.config.study import CohortConfig
from mgvae.reproducibility import derive
from mgvae.results.privacy import PRIVACY
from mgvae.results.training import Finetuning, LambdaTrial
from mgvae.threads import one_thread

if TYPE_CHECKING:
    import torch

    from mgvae.training.tuning import Finetuned


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Fine-tune with EWC; write checkpoint, ``history.json``, ``clock.json``, and ``privacy.json`` if private."""
    from mgvae.generator.synthesis import device_of
    from mgvae.training.anchor import Anchor
    from mgvae.training.checkpoint import load_checkpoint, save_checkpoint
    from mgvae.training.tuning import finetune_cases

    training, device = config.training, device_of(config.training)
    start = load_checkpoint(inputs["pretrain"])
    anchor = start.anchor and Anchor(_moved(start.anchor.parameters, device), _moved(start.anchor.fisher, device))
    divided = encoded_rows(inputs["encode"]).inputs(start.encoding, device)
    with one_thread():
        tuned = finetune_cases(
            start.model.to(device), anchor, divided, training, seed=derive(config.seed, "generator"), on_epoch=report_epoch
        )
    save_checkpoint(folder, tuned.model, start.encoding, training, tilt=tuned.tilt)
    if tuned.privacy is not None:
        write_result(folder / PRIVACY, tuned.privacy)
    write_result(folder / HISTORY, _record(tuned))
    write_clock(folder, tuned.history)


def _record(tuned: Finetuned) -> Finetuning:
    tried = [LambdaTrial(ewc_lambda=trial.ewc_lambda, heldout_elbo=trial.heldout_elbo) for trial in tuned.candidates]
    path = tuple(tried) if len(tried) > 1 else ()
    return Finetuning(**dict(training_record(tuned.history)), ewc_lambda=tuned.ewc_lambda, lambda_path=path)


def _moved(tensors: Mapping[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {name: value.to(device) for name, value in tensors.items()}


STAGE = Stage("finetune", make, needs=("encode", "pretrain"), reads=sections("training"))
