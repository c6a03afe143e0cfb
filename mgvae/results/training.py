"""Records of the generator's training."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Seconds


class EpochRecord(Strict):
    """Mean ELBO in nats per row on training and held-out rows after an epoch."""

    epoch: Count
    train_elbo: Number | None
    heldout_elbo: Number | None


class LambdaTrial(Strict):
    """The best held-out ELBO of fine-tuning with one weight of the EWC penalty."""

    ewc_lambda: Number
    heldout_elbo: Number | None


class Pretraining(Strict):
    """Training on the majority.

    Attributes:
        heldout_elbo: that of ``best_epoch``, which is kept.
        remarks: sentences on groups that could not be kept whole.
    """

    epochs: Count
    seconds: Seconds | None
    heldout_elbo: Number | None
    best_epoch: Count | None
    history: tuple[EpochRecord, ...]
    remarks: tuple[str, ...] = ()


class Finetuning(Pretraining):
    """Training on the rare cases; ``lambda_path`` is empty where lambda was given."""

    ewc_lambda: Number | None
    lambda_path: tuple[LambdaTrial, ...]


class PretrainRecord(Strict):
    """What stage pretrain writes; a file of its own keeps the duration."""

    device: str
    parameters: Count
    pretrain: Pretraining


class TrainingSummary(Strict):
    """Training of the generator on the whole training part."""

    device: str
    parameters: Count
    pretrain: Pretraining
    finetune: Finetuning
