"""Pre-train on the majority and fine-tune on the rare cases."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from mgvae.config.sections import Training
from mgvae.errors import TrainingError
from mgvae.model.chosen_rows import AnyRows
from mgvae.model.ewc import ewc_gradient
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.torch_runtime import to_device, torch_generator
from mgvae.training.anchor import Anchor
from mgvae.training.cuda_graph import ReplayedStep
from mgvae.training.early_stopping import BestEpoch, Epoch, History, OnEpoch, heldout_elbo, is_worsening
from mgvae.training.exemplars import ExemplarSchedule, LeftOut, draw_carriers
from mgvae.training.loss import Loss
from mgvae.training.ranks import Ranks

FEWEST = 16  # cases in a step of fine-tuning, where there are as many
AUTO_STEPS, AUTO_EPOCHS = 2000, (10, 200)
FINETUNE_STEPS, FEWEST_PASSES = 8000, 10  # the steps of 200 passes over 5,120 cases in steps of 128


@dataclass(frozen=True)
class FinetunePlan:
    """How one fine-tuning is done.

    Attributes:
        anchor: where EWC holds; None for no EWC.
        ewc_lambda: weight of the penalty on the normalised Fisher.
        epochs: most passes over the rows; fewer where the held-out ELBO stops rising. The last parameters are kept.
        seed: names the streams of shuffling and noise.
    """

    anchor: Anchor | None
    ewc_lambda: float
    epochs: int
    seed: int


def pretrain(
    model: MGVAE,
    rows: AnyRows,
    heldout: AnyRows,
    settings: Training,
    *,
    seed: int,
    kin: Tensor | None = None,
    on_epoch: OnEpoch | None = None,
    ranks: Ranks | None = None,
) -> History:
    """Train ``model`` in place on the majority; keep its best held-out ELBO.

    Each step renews the means of its own rows that are exemplars, and the gradient reaches them. Where all rows are, no epoch
    encodes all of them again: means are at most one epoch old while it trains and chooses, and fresh in the held-out ELBO that
    is returned.

    Args:
        model: a fresh model.
        rows: encoded majority rows, ``(n, W)``, gathered as steps need them; all of them or ``settings.exemplars`` of them anew
            each epoch carry the prior.
        heldout: encoded majority rows that training does not see, ``(m, W)``.
        settings: epochs, step size and the like.
        seed: names the streams of shuffling and noise.
        kin: codes that rows share which are no independent patients, ``(n,)``, see `exemplars.kin`: they are left out of each
            other's prior. None where there are no such rows.
        on_epoch: called after each epoch.
        ranks: the processes that share each step, all of which call this with the same arguments; None for one alone.
    Raises:
        TrainingError: fewer than two rows, none held out, the objective is no longer finite, or a rank is gone.
    """
    if len(rows) < 2 or not len(heldout):
        raise TrainingError(f"Pre-training needs 2 majority rows and 1 held out at least; got {len(rows)} and {len(heldout)}.")
    draws, on_gpu = torch_generator(seed, "pretrain"), rows.device.type == "cuda"
    loss = Loss(model, settings.learning_rate, ranks)
    epochs = most_epochs(len(rows), settings)
    steps, taken = math.ceil(len(rows) / settings.batch_size) * epochs, 0
    warmup = settings.warmup_fraction * epochs
    best = BestEpoch(model, time.perf_counter())
    carriers, position = draw_carriers(rows, settings.exemplars, draws)
    encoded = model.exemplar_means if ranks is None else partial(ranks.exemplar_means, model)
    cache, left_out = Exemplars(encoded(rows[carriers]), spare=on_gpu), LeftOut(kin, carriers, position)

    def step(at: Tensor, noise: Tensor, weight: Tensor) -> Tensor:
        own = left_out(at) if settings.leave_one_out else None
        gradient, total = loss.of_majority(rows.index_select(0, at), cache, position.index_select(0, at), noise, own, weight)
        loss.descent.step(gradient)
        return total

    take = ReplayedStep(step) if on_gpu and kin is None and ranks is None else step
    for epoch in range(1, epochs + 1):
        weight = min(1.0, epoch / max(warmup, 1.0))
        kl_weight, means = torch.tensor(weight, device=rows.device), []
        for at, noise in _batches(model, len(rows), settings.batch_size, draws):
            loss.descent.anneal(taken / steps)
            means.append(take(at, noise, kl_weight))
            taken += 1
        train = _mean(means, len(rows), settings.batch_size)
        if len(carriers) < len(rows):  # else the steps have just renewed each mean
            for place, drawn in zip((carriers, position), draw_carriers(rows, settings.exemplars, draws), strict=True):
                place.copy_(drawn)
            cache.refill(encoded(rows[carriers]))
            left_out = LeftOut(kin, carriers, position)
        score = heldout_elbo(model, heldout, cache, seed=seed)
        best.record(Epoch(epoch, train, score), eligible=weight >= 1.0)
        if on_epoch is not None:
            on_epoch(epoch, epochs, score)
        if best.since_best >= settings.patience:
            break
    history = best.restored()
    every = len(carriers) == len(rows)
    return replace(history, heldout_elbo=heldout_elbo(model, heldout, encoded(rows), seed=seed)) if every else history


def most_epochs(rows: int, settings: Training) -> int:
    """Return the most passes that pre-training makes over ``rows`` rows."""
    if settings.pretrain_epochs != "auto":
        return settings.pretrain_epochs
    low, high = AUTO_EPOCHS
    return min(max(round(AUTO_STEPS / math.ceil(rows / settings.batch_size)), low), high)


def most_finetune_epochs(cases: int, settings: Training) -> int:
    """Return the most passes over ``cases`` cases: of so many that `FINETUNE_STEPS` end sooner, fewer."""
    passes = FINETUNE_STEPS // math.ceil(cases / cases_a_step(cases, settings))
    return min(settings.finetune_epochs, max(passes, FEWEST_PASSES))


def cases_a_step(cases: int, settings: Training) -> int:
    """Return the rows of a fine-tuning step: a quarter of few, `FEWEST` at least."""
    return min(settings.batch_size, max(FEWEST, cases // 4))


def finetune(
    model: MGVAE,
    rows: Tensor,
    exemplars: ExemplarSchedule | None,
    settings: Training,
    plan: FinetunePlan,
    *,
    heldout: Tensor | None = None,
    on_epoch: OnEpoch | None = None,
) -> History:
    """Train ``model`` in place on rare rows, held to the anchor by EWC.

    Args:
        model: the pre-trained model (or a fresh one, for the ablation without pre-training).
        rows: encoded minority rows, ``(n, W)``.
        exemplars: what carries the prior; None trains a plain VAE with a standard-normal prior.
        settings: step size and batch size.
        plan: how strongly it is held to the anchor, and how long it lasts.
        heldout: encoded minority rows whose ELBO is recorded after each epoch.
        on_epoch: called after each epoch.
    Raises:
        TrainingError: no rows, or the objective is no longer finite.
    """
    if not len(rows):
        raise TrainingError("Fine-tuning needs at least one case; got none.")
    start = time.perf_counter()
    anchor, draws = plan.anchor, torch_generator(plan.seed, "finetune")
    loss = Loss(model, settings.finetune_learning_rate)
    descent = loss.descent
    held = None if anchor is None or not plan.ewc_lambda else (descent.flat(anchor.parameters), descent.flat(anchor.fisher))
    size = cases_a_step(len(rows), settings)
    records = []
    prior = None if exemplars is None else exemplars.draw(model, rows, draws)
    for epoch in range(1, plan.epochs + 1):
        means = []
        for at, noise in _batches(model, len(rows), size, draws):
            gradient, total = loss.of_cases(rows[at], prior, noise)
            if held is not None:
                gradient += plan.ewc_lambda * ewc_gradient(descent.values, *held)
            descent.step(gradient)
            means.append(total)
        train = _mean(means, len(rows), size)
        if exemplars is not None:
            prior = exemplars.renew(model, rows, draws, steps=len(means))
        score = None if heldout is None else heldout_elbo(model, heldout, prior, seed=plan.seed)
        records.append(Epoch(epoch, train, score))
        if on_epoch is not None:
            on_epoch(epoch, plan.epochs, train if score is None else score)
        if is_worsening(records, settings.finetune_patience):
            break
    last = records[-1].heldout_elbo if records else None
    return History(tuple(records), len(records), last, time.perf_counter() - start)


def _batches(model: MGVAE, n: int, size: int, draws: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the rows of each step of an epoch, and their noise, on the model's device.

    All of an epoch is drawn first: a copy to a GPU for each step would make the processor wait each time.
    """
    device = model.prior_log_var.device
    order = torch.randperm(n, generator=draws)
    noise = torch.cat([torch.randn(len(at), model.latent_dim, generator=draws) for at in torch.split(order, size)])
    return zip(torch.split(to_device(order, device), size), torch.split(to_device(noise, device), size), strict=True)


def _mean(means: list[Tensor], n: int, size: int) -> float:
    """Return the mean objective of an epoch of ``n`` rows in steps of ``size``.

    Raises:
        TrainingError: it is no longer finite.
    """
    values: list[float] = torch.stack(means).tolist()
    if not all(map(math.isfinite, values)):
        raise TrainingError(
            "The objective is no longer finite. Lower training.learning_rate or training.finetune_learning_rate."
        )
    return sum(value * min(size, n - size * step) for step, value in enumerate(values)) / n
