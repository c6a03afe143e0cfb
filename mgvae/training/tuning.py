"""Fine-tune with lambda and epochs chosen by cross-validation over cases.

With a few dozen cases a fixed held-out part would be a handful of patients, and setting it apart would cost the model a sixth
of all that it has. So each candidate lambda is fine-tuned with one fold of the cases held out at a time, the held-out ELBO is
averaged over folds epoch by epoch, and the best pair of lambda and epochs is then used once more on all cases. With thousands
of cases the first folds are enough.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mgvae.cohort.groups import balanced_folds, first_enough
from mgvae.config.sections import Training
from mgvae.model.network import MGVAE
from mgvae.reproducibility import derive
from mgvae.results.privacy import PrivacyRecord
from mgvae.training.anchor import Anchor
from mgvae.training.early_stopping import Epoch, History, OnEpoch
from mgvae.training.exemplars import ExemplarSchedule
from mgvae.training.inputs import GeneratorInputs
from mgvae.training.loops import FinetunePlan, finetune, most_finetune_epochs
from mgvae.training.private import finetune_privately

FOLDS = 3
ENOUGH = 2000  # held-out cases that choose lambda and epochs: folds beyond are left out, and with them most of the time
ONE_CASE = "Lambda and epochs were chosen by the one case that was trained on, for there is no other to hold out."


@dataclass(frozen=True)
class Candidate:
    """Mean held-out ELBO, nats per row, at the best epochs of one lambda."""

    ewc_lambda: float
    epochs: int
    heldout_elbo: float


@dataclass(frozen=True)
class Finetuned:
    """The fine-tuned model and how it was chosen.

    Attributes:
        model: fine-tuned on all cases.
        history: mean over folds of the chosen lambda's epochs; its heldout_elbo is cross-validated.
        ewc_lambda: the chosen weight; 0 without an anchor.
        candidates: every lambda that was tried.
        tilt: slope of the exemplars' weights, ``(D,)``, where it was learned privately.
        privacy: what was spent; None without differential privacy.
    """

    model: MGVAE
    history: History
    ewc_lambda: float
    candidates: tuple[Candidate, ...]
    tilt: Tensor | None = None
    privacy: PrivacyRecord | None = None


def finetune_cases(
    model: MGVAE,
    anchor: Anchor | None,
    inputs: GeneratorInputs,
    settings: Training,
    *,
    seed: int,
    on_epoch: OnEpoch | None = None,
) -> Finetuned:
    """Return a fine-tuned copy of ``model`` with the choices made.

    Args:
        model: the pre-trained model, or a fresh one.
        anchor: where EWC holds; None for no EWC.
        inputs: the cases and the majority rows that carry the prior. A group of cases is on one side of a fold, unless groups
            are too few or too uneven.
        settings: how to train; ``ewc_lambda`` "auto" tries ``settings.ewc_grid``.
        seed: the seed.
        on_epoch: called after each epoch of all fine-tunings together; not with privacy, where no ELBO of cases may be known.
    Raises:
        TrainingError: privacy is asked for without majority rows.
    """
    if settings.privacy is not None:
        return _private(model, anchor, inputs, settings, seed=seed)
    seed, lambdas, cases = derive(seed, "tune"), _lambdas(anchor, settings), inputs.cases
    exemplars = None if inputs.majority is None else ExemplarSchedule(inputs.majority, settings)
    folds = balanced_folds(inputs.case_group, FOLDS, seed=seed)
    parts = [folds.part == fold for fold in range(folds.part.max(initial=0) + 1)]
    parts = parts[: first_enough(np.array([[part.sum()] for part in parts]), ENOUGH)]
    epochs = most_finetune_epochs(len(cases), settings)
    progress = _Progress(on_epoch, (len(lambdas) * len(parts) + 1) * epochs)
    curves, seconds = {}, 0.0
    for weight in lambdas:
        plan, runs = FinetunePlan(anchor, weight, epochs, derive(seed, "fold")), list[History]()
        for part in parts:
            held_out = torch.from_numpy(part).to(cases.device)
            kept = cases if part.all() else cases[~held_out]  # the only case is trained on and judged by
            run = finetune(copy.deepcopy(model), kept, exemplars, settings, plan, heldout=cases[held_out], on_epoch=progress)
            runs.append(run)
            plan = replace(plan, epochs=len(run.epochs))  # their mean ends with the shortest
        curves[weight] = _mean_curve(runs, [int(part.sum()) for part in parts])
        seconds += sum(run.seconds for run in runs)
    candidates = tuple(_candidate(weight, curve) for weight, curve in curves.items())
    best = max(candidates, key=lambda candidate: candidate.heldout_elbo)
    plan = FinetunePlan(anchor, best.ewc_lambda, best.epochs, seed)
    tuned = copy.deepcopy(model)
    final = finetune(tuned, cases, exemplars, settings, plan, on_epoch=progress)
    remarks = folds.remarks("Cross-validation over the cases chose lambda and epochs") if len(cases) > 1 else (ONE_CASE,)
    history = History(curves[best.ewc_lambda], best.epochs, best.heldout_elbo, seconds + final.seconds, remarks)
    return Finetuned(tuned, history, best.ewc_lambda, candidates)


def _private(model: MGVAE, anchor: Anchor | None, inputs: GeneratorInputs, settings: Training, *, seed: int) -> Finetuned:
    start, weight = time.perf_counter(), settings.ewc_lambda
    weight = float(Training().ewc_lambda if weight == "auto" else weight) if anchor is not None else 0.0
    tuned = copy.deepcopy(model)
    tilt, record = finetune_privately(tuned, anchor, inputs, settings, ewc_lambda=weight, seed=derive(seed, "tune"))
    history = History((), record.mechanisms[0].steps, None, time.perf_counter() - start)
    return Finetuned(tuned, history, weight, (), tilt, record)


def _lambdas(anchor: Anchor | None, settings: Training) -> tuple[float, ...]:
    if anchor is None:
        return (0.0,)
    return settings.ewc_grid if settings.ewc_lambda == "auto" else (float(settings.ewc_lambda),)


def _mean_curve(runs: list[History], weights: list[int]) -> tuple[Epoch, ...]:
    """Return the folds' mean by epoch, weighted by the cases held out."""
    share = np.asarray(weights, float) / sum(weights)
    out = []
    for records in zip(*(run.epochs for run in runs), strict=False):
        scores = np.array([np.nan if record.heldout_elbo is None else record.heldout_elbo for record in records])
        train = float(share @ np.array([record.train_elbo for record in records]))
        out.append(Epoch(records[0].epoch, train, float(share @ scores)))
    return tuple(out)


def _candidate(weight: float, curve: tuple[Epoch, ...]) -> Candidate:
    best = max(curve, key=lambda record: -np.inf if record.heldout_elbo is None else record.heldout_elbo)
    return Candidate(weight, best.epoch, float("nan") if best.heldout_elbo is None else best.heldout_elbo)


class _Progress:
    """Counts the epochs of all fine-tunings, so that one bar can show them."""

    def __init__(self, on_epoch: OnEpoch | None, total: int) -> None:
        self.on_epoch, self.total, self.done = on_epoch, total, 0

    def __call__(self, epoch: int, epochs: int, score: float) -> None:
        self.done += 1
        if self.on_epoch is not None:
            self.on_epoch(self.done, self.total, score)
