"""The MGVAE family: one pre-training, fine-tuned for each rare class; a plain VAE.

`mgvae.paper.oversamplers.judged_translation` translates with them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mgvae.config.sections import Training
from mgvae.generator.translation import sample_prior
from mgvae.model.exemplar_mixture import Exemplars
from mgvae.model.network import MGVAE
from mgvae.paper.models.pixel_models import Size, pixel_model
from mgvae.paper.oversamplers.task import Made, Task, gathered
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator
from mgvae.training.anchor import Anchor, anchor_at
from mgvae.training.exemplar_weights import LEAST, log_capped
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.loops import FinetunePlan, cases_a_step, finetune, pretrain

PRIOR_STEPS = 20  # of fine-tuning between two draws of exemplars


@dataclass(frozen=True)
class Plan:
    """How generators are made.

    Attributes:
        size: of the models.
        training: of pre-training and fine-tuning; its ewc_lambda is not used, each model has its own.
        steps: of fine-tuning, for each rare class.
        lambdas: strengths of EWC that a rare class is fine-tuned with, besides none; see
            `mgvae.paper.oversamplers.judged_translation`.
    """

    size: Size
    training: Training
    steps: int = 300
    lambdas: tuple[float, ...] = (3.0, 30.0)


@dataclass(frozen=True)
class Start:
    """The shared pre-trained model and its anchor."""

    model: MGVAE
    anchor: Anchor


def pretrained(task: Task, plan: Plan) -> Start:
    """Pre-train on the majority, with a part held out for early stopping."""
    majority = task.train.take(task.of_majority).scaled()
    order = torch.randperm(len(majority), generator=torch_generator(task.seed, "held out"))
    apart = max(1, round(plan.training.heldout_fraction * len(majority)))
    rows, heldout = majority[order[apart:]], majority[order[:apart]]
    model = untrained(task, plan, rows)
    pretrain(model, rows, heldout, plan.training, seed=task.seed)
    return Start(model, anchor_at(model, rows, plan.training, seed=task.seed))


def untrained(task: Task, plan: Plan, rows: Tensor, *names: str | int) -> MGVAE:
    """Return a fresh model at the mean of ``rows``; ``names`` name its stream."""
    model = pixel_model(task, plan.size, generator=torch_generator(task.seed, "initialise", *names))
    model.decoder.likelihood.start_at(rows)
    return model


def class_model(task: Task, plan: Plan, start: Start | None, label: int, *, ewc_lambda: float = 0.0) -> MGVAE:
    """Return the model that translates into the rare class ``label``.

    Args:
        task: whose rare class it is.
        plan: how.
        start: the shared model; None trains this class's model from scratch.
        label: the class.
        ewc_lambda: how strongly fine-tuning is held to the anchor of ``start``.
    """
    majority = task.train.take(task.of_majority).scaled()
    cases = task.train.take(task.train.positions(label)).scaled()
    model = untrained(task, plan, majority, "scratch") if start is None else copy.deepcopy(start.model)
    anchor, seed = None if start is None else start.anchor, derive(task.seed, "class", label)
    finetuning = _finetuning(plan, cases, seed, anchor=anchor, ewc_lambda=ewc_lambda)
    finetune(model, cases, KeptExemplars(majority, plan.training), plan.training, finetuning)
    return model


class KeptExemplars(ExemplarSchedule):
    """Exemplars kept for `PRIOR_STEPS` steps, since drawing them is costly."""

    def draw(self, model: MGVAE, cases: Tensor, draws: torch.Generator) -> Exemplars:
        """See `ExemplarSchedule.draw`."""
        self.steps, self.drawn = 0, super().draw(model, cases, draws)
        return self.drawn

    def renew(self, model: MGVAE, cases: Tensor, draws: torch.Generator, *, steps: int) -> Exemplars:
        """See `ExemplarSchedule.renew`."""
        self.steps += steps
        return self.draw(model, cases, draws) if self.steps >= PRIOR_STEPS else self.drawn

    def log_weight(self, model: MGVAE, means: Tensor, case_means: Tensor) -> Tensor:
        """See `ExemplarSchedule.log_weight`."""
        return log_responsibility(means, case_means, model.prior_log_var)


def plain_vae(task: Task, plan: Plan) -> Made:
    """Return rows of one plain VAE for each rare class, trained on it alone."""

    def make(label: int, count: int) -> Tensor:
        cases, seed = task.train.take(task.train.positions(label)).scaled(), derive(task.seed, "vae", label)
        model = untrained(task, plan, cases, "vae", label)
        finetune(model, cases, None, plan.training, _finetuning(plan, cases, seed))
        return sample_prior(model, count, torch_generator(seed, "dream"))

    return gathered(make, task)


def _finetuning(plan: Plan, cases: Tensor, seed: int, *, anchor: Anchor | None = None, ewc_lambda: float = 0.0) -> FinetunePlan:
    epochs = max(1, plan.steps // -(-len(cases) // cases_a_step(len(cases), plan.training)))
    return FinetunePlan(anchor, ewc_lambda, epochs, seed)


def log_responsibility(means: Tensor, case_means: Tensor, log_var: Tensor, *, chunk: int = 256) -> Tensor:
    """Return log weights ``(K,)`` of exemplars by how much of the cases they explain.

    w_k is the mean over cases of p(exemplar k | z) under equal weights: one step of expectation maximisation for the weights
    of the mixture, which unlike the tilt need not be monotone in any direction of the codes. Weights are capped as in `tilted`.

    Args:
        means: exemplar means, ``(K, D)``.
        case_means: means of the cases, ``(n, D)``.
        log_var: log variance that all exemplars share, a scalar.
        chunk: cases compared with all exemplars at once.
    Source: Dempster, Laird and Rubin 1977.
    """
    means, log_var = means.detach().double(), log_var.detach().double()
    share = torch.zeros(len(means), dtype=torch.double, device=means.device)
    for cases in torch.split(case_means.detach().double(), chunk):
        share += torch.softmax(-0.5 * torch.cdist(cases, means).square() * torch.exp(-log_var), dim=1).sum(0)
    ratio = np.maximum(share.cpu().numpy(), np.exp(LEAST) * float(share.max()))
    return log_capped(ratio).to(case_means)
