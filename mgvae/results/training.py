"""How the generator was trained."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Seconds


class EpochRecord(Strict):
    """Mean ELBO in nats per row, on training and held-out rows, at the end of a pass over the rows."""

    epoch: Count
    train_elbo: Number | None
    heldout_elbo: Number | None


class LambdaTrial(Strict):
    """The best held-out ELBO that fine-tuning reached with one weight of the EWC penalty."""

    ewc_lambda: Number
    heldout_elbo: Number | None


class Pretraining(Strict):
    """How training on the majority went; ``heldout_elbo`` is that of ``best_epoch``, the one kept.

    ``remarks`` say in full sentences where groups could not be kept whole.
    """

    epochs: Count
    seconds: Seconds | None
    heldout_elbo: Number | None
    best_epoch: Count | None
    history: tuple[EpochRecord, ...]
    remarks: tuple[str, ...] = ()


class Finetuning(Pretraining):
    """How training on the rare cases went; ``lambda_path`` is empty where lambda was given and not chosen."""

    ewc_lambda: Number | None
    lambda_path: tuple[LambdaTrial, ...]


class PretrainRecord(Strict):
    """What stage pretrain writes; how long it took stands in a file of its own."""

    device: str
    parameters: Count
    pretrain: Pretraining


class TrainingFacts(Strict):
    """The generator of the whole training part."""

    device: str
    parameters: Count
    pretrain: Pretraining
    finetune: Finetuning
