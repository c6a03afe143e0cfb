"""Weigh the prior's exemplars by how much they resemble the rare cases.

Cases are not spread over the majority's codes: those who die within two years are old and ill, and a uniform mixture
would have young and healthy patients translated as often as old and ill ones. In fine-tuning, exemplar k therefore
weighs w_k, proportional to the ratio of the densities of case and majority codes at its mean, estimated by a ridge-
penalised logistic regression on the codes. With few cases the penalty holds the weights near 1/K, which is the
paper's uniform mixture.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor

from mgvae.arrays import Array, FloatArray
from mgvae.config.sections import Training

LEAST = -60.0  # of a log ratio to the largest: beyond it lies nothing that could be drawn

MOST_STEPS, SHORTEST, LEAST_GAIN = 100, 1e-6, 1e-12  # of Newton's method: steps, part of a step, fall of the loss
RIDGE = 1.0  # C of the logistic regression on standardised codes: a standard-normal belief about each slope


def exemplar_log_weight(means: Tensor, case_means: Tensor, settings: Training) -> Tensor | None:
    """Return the log weights ``(K,)`` that settings ask for; None if uniform."""
    return log_tilt(means, case_means) if settings.exemplar_weights == "tilted" else None


def log_tilt(means: Tensor, case_means: Tensor) -> Tensor:
    """Return log w_k, ``(K,)``, towards cases ``(n, D)``: fit and apply a tilt."""
    return tilted(means, fit_tilt(means, case_means))


def fit_tilt(means: Tensor, case_means: Tensor) -> Tensor:
    """Return the slope of the log density ratio of cases to majority, ``(D,)``.

    Args:
        means: exemplar means, ``(K, D)``.
        case_means: means of the cases, ``(n, D)``.
    Source: density ratio by classification, Sugiyama et al. 2012.
    """
    codes = means.detach().cpu().numpy().astype(np.float64)
    cases = case_means.detach().cpu().numpy().astype(np.float64)
    centre, spread = codes.mean(0), codes.std(0) + 1e-6
    rows = (np.vstack([codes, cases]) - centre) / spread
    label = np.repeat([0.0, 1.0], [len(codes), len(cases)])
    balance = np.where(label == 1, 1.0, len(cases) / len(codes))
    return torch.from_numpy(ridge_slopes(rows, label, balance, strength=RIDGE) / spread)


def ridge_slopes(rows: FloatArray, label: FloatArray, weight: FloatArray, *, strength: float) -> FloatArray:
    """Return the slopes of a ridge-penalised logistic regression, ``(D,)``.

    By Newton's method, each step halved until the loss falls. Fine-tuning fits one each epoch on a few thousand rows of a few
    columns, where a general solver takes most of its time to check them.

    Args:
        rows: ``(N, D)``.
        label: 0 or 1, both present, ``(N,)``.
        weight: of each row, ``(N,)``.
        strength: C, which weighs the rows against half the sum of squared slopes.
    """
    design = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.append(np.full(rows.shape[1], 1 / strength), 0.0)

    def loss(at: FloatArray) -> float:
        line = design @ at
        return float(weight @ (np.logaddexp(0.0, line) - label * line) + 0.5 * penalty @ at**2)

    at = np.zeros(design.shape[1])
    value = loss(at)
    for _ in range(MOST_STEPS):
        share = expit(design @ at)
        gradient = (weight * (share - label)) @ design + penalty * at
        curvature = (design * (weight * share * (1 - share))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while (lower := loss(at - size * step)) > value and size > SHORTEST:
            size /= 2
        if not lower < value - LEAST_GAIN * abs(value):
            break
        at, value = at - size * step, lower
    return at[:-1]


def tilted(means: Tensor, slope: Tensor) -> Tensor:
    """Return normalised log w_k, ``(K,)``, of exemplars with ``means (K, D)``.

    No weight exceeds 1 / sqrt(K), which is sqrt(K) times their mean, so that no patient becomes the parent of a large share of
    the synthetic cases; what is cut off goes to the others in proportion.

    Source: truncation, Ionides 2008, doi:10.1198/106186008X320456.
    """
    score = means.detach().cpu().numpy().astype(np.float64) @ slope.cpu().numpy()
    ratio = np.exp(np.maximum(score - score.max(), LEAST))
    return log_capped(ratio).to(means)


def log_capped(ratio: Array) -> Tensor:
    """Return log weights ``(K,)`` by ``ratio``, none above 1 / sqrt(K)."""
    return torch.from_numpy(np.log(capped(ratio, len(ratio) ** -0.5)))


def capped(weight: Array, cap: float) -> Array:
    """Return weights ``(K,)`` that sum to one, none above ``cap >= 1/K``."""
    ordered = np.sort(weight)[::-1]
    rest = ordered[::-1].cumsum()[::-1]  # sum of a weight and all below it
    scale = (1 - cap * np.arange(len(weight))) / rest
    cut = int(np.argmax(scale * ordered <= cap * (1 + 1e-12)))  # how many stand at the cap
    capped: Array = np.minimum(weight * scale[cut], cap)
    return capped
