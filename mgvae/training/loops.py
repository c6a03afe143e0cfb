"""Pre-training on the majority and EWC fine-tuning on the rare cases: direct loops, every draw from a named stream."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import functional_call

from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.model.ewc import MOST_ROWS, ewc_penalty, fisher_diagonal, normalised
from mgvae.model.network import MGVAE
from mgvae.model.objective import Elbo, elbo, elbo_with_own_means, own_exemplar, row_elbo
from mgvae.model.prior import Exemplars
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import exemplar_log_weight

FISHER_ROWS = 2000  # majority rows behind the Fisher information: its error falls below the choice of lambda long before
HELDOUT_DRAWS, HELDOUT_CODES = 4, 1024  # codes drawn per held-out row, and in all where rows are many: less is noise
MAX_GRADIENT = 5.0
FEWEST = 16  # cases in a step of fine-tuning, where there are as many
AUTO_STEPS, AUTO_EPOCHS = 2000, (10, 200)
Weigh = Callable[[MGVAE, Tensor, Tensor], Tensor | None]
OnEpoch = Callable[[int, int, float], None]  # epoch, most epochs, held-out ELBO


@dataclass(frozen=True)
class Epoch:
    """What one pass over the rows ended with: mean ELBO in nats per row on training and held-out rows."""

    epoch: int
    train_elbo: float
    heldout_elbo: float | None


@dataclass(frozen=True)
class History:
    """How a training went.

    Attributes:
        epochs: every pass, in order.
        best_epoch: the pass whose parameters were kept; 0 is the start.
        heldout_elbo: mean held-out ELBO at ``best_epoch``, nats per row; None where nothing was held out.
        seconds: wall-clock time.
        remarks: what a reader must know, in full sentences: how far groups could not be kept whole.
    """

    epochs: tuple[Epoch, ...]
    best_epoch: int
    heldout_elbo: float | None
    seconds: float
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Anchor:
    """What fine-tuning is held to: psi_+ and its normalised Fisher diagonal, by parameter name."""

    parameters: Mapping[str, Tensor]
    fisher: Mapping[str, Tensor]


def pretrain(
    model: MGVAE, rows: Tensor, heldout: Tensor, settings: Training, *, seed: int, on_epoch: OnEpoch | None = None
) -> History:
    """Train ``model`` in place on majority rows against majority exemplars and leave it at its best held-out ELBO.

    Where all rows are exemplars, each step renews the means of its own rows, and no epoch encodes all of them again: means are
    at most one epoch old while it trains and chooses, and fresh in the held-out ELBO that is returned.

    Args:
        model: a fresh model.
        rows: encoded majority rows, ``(n, W)``; all of them or ``settings.exemplars`` of them anew each epoch carry the prior.
        heldout: encoded majority rows that training does not see, ``(m, W)``.
        settings: epochs, step size and the like.
        seed: names the streams of shuffling and noise.
        on_epoch: called after each epoch.
    Raises:
        TrainingError: fewer than two rows, none held out, or the objective is no longer finite.
    """
    if len(rows) < 2 or not len(heldout):
        raise TrainingError(f"Pre-training needs 2 majority rows and 1 held out at least; got {len(rows)} and {len(heldout)}.")
    draws = torch_generator(seed, "pretrain")
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, fused=True)
    epochs = most_epochs(len(rows), settings)
    steps = math.ceil(len(rows) / settings.batch_size) * epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    warmup = settings.warmup_fraction * epochs
    watch = _Watch(model, time.perf_counter())
    carriers, position = _carriers(rows, settings.exemplars, draws)
    cache = Exemplars(model.exemplar_means(rows[carriers]))
    for epoch in range(1, epochs + 1):
        weight = min(1.0, epoch / max(warmup, 1.0))
        total = 0.0
        for at in _batches(len(rows), settings.batch_size, draws):
            noise = _noise(len(at), model, draws)
            terms = _majority_step(model, rows[at], cache, position[at], noise, settings)
            total += _step(model, optimizer, (weight * terms.kl - terms.reconstruction).mean(), terms.total) * len(at)
            schedule.step()
        if len(carriers) < len(rows):  # else the steps have just renewed each mean
            carriers, position = _carriers(rows, settings.exemplars, draws)
            cache = Exemplars(model.exemplar_means(rows[carriers]))
        score = heldout_elbo(model, heldout, cache, seed=seed)
        watch.saw(Epoch(epoch, total / len(rows), score), eligible=weight >= 1.0)
        if on_epoch is not None:
            on_epoch(epoch, epochs, score)
        if watch.since_best >= settings.patience:
            break
    history = watch.restored()
    if len(carriers) < len(rows):
        return history
    return replace(history, heldout_elbo=heldout_elbo(model, heldout, model.exemplar_means(rows), seed=seed))


def most_epochs(rows: int, settings: Training) -> int:
    """Return the most passes that pre-training makes over ``rows`` rows."""
    if settings.pretrain_epochs != "auto":
        return settings.pretrain_epochs
    low, high = AUTO_EPOCHS
    return min(max(round(AUTO_STEPS / math.ceil(rows / settings.batch_size)), low), high)


def cases_a_step(cases: int, settings: Training) -> int:
    """Return the rows of a step of fine-tuning: a quarter of few cases, but `FEWEST` at least."""
    return min(settings.batch_size, max(FEWEST, cases // 4))


def anchor_at(model: MGVAE, rows: Tensor, settings: Training, *, seed: int) -> Anchor:
    """Return the anchor at the model's present parameters, with the Fisher from majority rows, ``(n, W)``."""
    draws = torch_generator(seed, "fisher")
    carriers, position = _carriers(rows, settings.exemplars, draws)
    at = torch.randperm(len(rows), generator=draws)[:FISHER_ROWS].to(rows.device)
    means = model.exemplar_means(rows[carriers])
    parameters = {name: value.detach().clone() for name, value in model.named_parameters()}

    def objective(values: Mapping[str, Tensor], row: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        named = {f"model.{name}": value for name, value in values.items()}
        scalar: Tensor = functional_call(_RowElbo(model), named, (row, means, noise, own))
        return scalar

    left_out = position[at] if settings.leave_one_out else torch.full_like(at, -1)
    own = own_exemplar(left_out, len(carriers))
    fisher = fisher_diagonal(
        objective, parameters, rows[at], _noise(len(at), model, draws), own, chunk=min(MOST_ROWS, model.at_once)
    )
    return Anchor(parameters, normalised(fisher))


def finetune(
    model: MGVAE,
    rows: Tensor,
    exemplars: Tensor | None,
    settings: Training,
    *,
    anchor: Anchor | None,
    ewc_lambda: float,
    epochs: int,
    seed: int,
    heldout: Tensor | None = None,
    on_epoch: OnEpoch | None = None,
    weigh: Weigh | None = None,
    prior_steps: int = 1,
) -> History:
    """Train ``model`` in place on minority rows against majority exemplars, held to the anchor by EWC.

    Args:
        model: the pre-trained model (or a fresh one, for the ablation without pre-training).
        rows: encoded minority rows, ``(n, W)``.
        exemplars: encoded majority rows, ``(K, W)``; None trains a plain VAE with a standard-normal prior.
        settings: step size and batch size.
        anchor: where EWC holds; None for no EWC.
        ewc_lambda: weight of the penalty on the normalised Fisher.
        epochs: most passes over the rows; fewer where the held-out ELBO stops rising. The last parameters are kept.
        seed: names the streams of shuffling and noise.
        heldout: encoded minority rows whose ELBO is recorded after each epoch.
        on_epoch: called after each epoch.
        weigh: from the model, exemplar means and means of the cases to log weights; that of ``settings`` if None.
        prior_steps: steps at least between two draws of exemplars, which are the costly part where cases are few.
    Raises:
        TrainingError: no rows, or the objective is no longer finite.
    """
    if not len(rows):
        raise TrainingError("Fine-tuning needs at least one case; got none.")
    start = time.perf_counter()
    draws = torch_generator(seed, "finetune")
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.finetune_learning_rate, fused=True)
    size = cases_a_step(len(rows), settings)
    records = []
    prior = _fixed_prior(model, exemplars, rows, settings, draws, weigh)
    steps = 0
    for epoch in range(1, epochs + 1):
        total = 0.0
        for at in _batches(len(rows), size, draws):
            terms = elbo(model, rows[at], prior, _noise(len(at), model, draws))
            loss = -terms.total.mean()
            if anchor is not None and ewc_lambda:
                loss = loss + ewc_lambda * ewc_penalty(dict(model.named_parameters()), anchor.parameters, anchor.fisher)
            total += _step(model, optimizer, loss, terms.total) * len(at)
            steps += 1
        if steps >= prior_steps:
            prior = _fixed_prior(model, exemplars, rows, settings, draws, weigh)
            steps = 0
        score = None if heldout is None else heldout_elbo(model, heldout, prior, seed=seed)
        records.append(Epoch(epoch, total / len(rows), score))
        if on_epoch is not None:
            on_epoch(epoch, epochs, total / len(rows) if score is None else score)
        if _worsening(records, settings.finetune_patience):
            break
    last = records[-1].heldout_elbo if records else None
    return History(tuple(records), len(records), last, time.perf_counter() - start)


def heldout_elbo(model: MGVAE, rows: Tensor, means: Tensor | Exemplars | None, *, seed: int) -> float:
    """Return the mean ELBO of rows that are no exemplars, in nats per row, with the same noise at every call."""
    draws = torch_generator(seed, "heldout")
    repeats = min(max(HELDOUT_CODES // max(len(rows), 1), 1), HELDOUT_DRAWS)
    total = 0.0
    with torch.no_grad():
        for part in torch.split(rows, min(HELDOUT_CODES, model.at_once)):
            for _ in range(repeats):
                total += float(elbo(model, part, means, _noise(len(part), model, draws)).total.sum())
    return total / (repeats * len(rows))


def _worsening(records: list[Epoch], patience: int) -> bool:
    """Return whether the last ``patience`` epochs brought no better held-out ELBO."""
    scores = [record.heldout_elbo for record in records if record.heldout_elbo is not None]
    return len(scores) > patience and max(scores[-patience:]) <= max(scores[:-patience])


class _RowElbo(torch.nn.Module):
    """`row_elbo` as a module, which is what `functional_call` takes."""

    def __init__(self, model: MGVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, row: Tensor, means: Tensor, noise: Tensor, own: Tensor) -> Tensor:
        return row_elbo(self.model, row, means, noise, own)


class _Watch:
    """Keeps the best parameters seen and counts the epochs since."""

    def __init__(self, model: MGVAE, start: float) -> None:
        self.model, self.start = model, start
        self.records: list[Epoch] = []
        self.best: Epoch | None = None
        self.state: dict[str, Tensor] = {}

    def saw(self, record: Epoch, *, eligible: bool) -> None:
        """Record an epoch; before the KL term has its full weight no epoch is a candidate."""
        self.records.append(record)
        score, best = record.heldout_elbo, self.best
        if eligible and score is not None and (best is None or best.heldout_elbo is None or score > best.heldout_elbo):
            self.best = record
            self.state = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    @property
    def since_best(self) -> int:
        """Epochs since the best one; 0 while there is none."""
        return 0 if self.best is None else self.records[-1].epoch - self.best.epoch

    def restored(self) -> History:
        """Put the best parameters back and return the history."""
        best = self.best or self.records[-1]
        if self.state:
            self.model.load_state_dict(self.state)
        return History(tuple(self.records), best.epoch, best.heldout_elbo, time.perf_counter() - self.start)


def _majority_step(model: MGVAE, rows: Tensor, cache: Exemplars, position: Tensor, noise: Tensor, settings: Training) -> Elbo:
    """Return the objective of a step's rows; the means of those that are exemplars are renewed in ``cache``."""
    if bool((position < 0).any()):  # only some rows are exemplars
        terms = elbo(model, rows, cache, noise, own=position if settings.leave_one_out else None)
        inside = position >= 0
        cache.renew(position[inside], terms.z_mean[inside])
        return terms
    return elbo_with_own_means(model, rows, cache, position, noise, leave_one_out=settings.leave_one_out)


def _carriers(rows: Tensor, exemplars: int | str, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return which ``rows`` carry the prior, ``(K,)``, and each one's place among them, ``(n,)``, or -1."""
    n = len(rows)
    if exemplars == "all" or int(exemplars) >= n:
        everyone = torch.arange(n, device=rows.device)
        return everyone, everyone
    carriers = torch.randperm(n, generator=draws)[: int(exemplars)]
    position = torch.full((n,), -1)
    position[carriers] = torch.arange(len(carriers))
    return carriers.to(rows.device), position.to(rows.device)


def _fixed_prior(
    model: MGVAE, exemplars: Tensor | None, cases: Tensor, settings: Training, draws: torch.Generator, weigh: Weigh | None
) -> Exemplars | None:
    """Return exemplars with their weights, both held fixed until they are drawn again; None for a standard-normal prior."""
    if exemplars is None:
        return None
    carriers, _ = _carriers(exemplars, settings.exemplars, draws)
    means = model.exemplar_means(exemplars[carriers])
    of_cases = model.exemplar_means(cases)
    return Exemplars(means, exemplar_log_weight(means, of_cases, settings) if weigh is None else weigh(model, means, of_cases))


def _batches(n: int, size: int, draws: torch.Generator) -> Iterator[Tensor]:
    order = torch.randperm(n, generator=draws)
    return iter(torch.split(order, size))


def _noise(rows: int, model: MGVAE, draws: torch.Generator) -> Tensor:
    return torch.randn(rows, model.latent_dim, generator=draws).to(model.prior_log_var.device)


def _step(model: MGVAE, optimizer: torch.optim.Optimizer, loss: Tensor, objective: Tensor) -> float:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT)
    optimizer.step()
    value = float(objective.detach().mean())
    if not math.isfinite(value):
        raise TrainingError(
            "The objective is no longer finite. Lower training.learning_rate or training.finetune_learning_rate."
        )
    return value
