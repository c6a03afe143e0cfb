"""Scores of attacks on membership: the higher, the likelier trained on.

An attack sees the synthetic rows and other patients of the population, and does not know who was trained on. So each score
treats members and non-members alike, and shuffling who is which gives its distribution without a leak.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import KFold

from mgvae.cohort.embedding import Floats, nearest, squared_distances
from mgvae.reproducibility import derive, numpy_generator

AttackName = Literal[
    "distance", "local neighbourhood", "kernel density", "density ratio", "generative likelihood", "classifier"
]
ATTACKS: tuple[AttackName, ...] = get_args(AttackName)
NEIGHBOURS = 5
MOST_FITTED = 2000  # synthetic rows, and real ones, that the classifier is trained on
TREES = 50
CHUNK = 500  # rows whose distances to all others are in memory at a time


def attack_scores(patients: Floats, synthetic: Floats, *, seed: int) -> Floats:
    """Return the score of each patient in each attack, ``(len(ATTACKS), N)``.

    Distance: Chen et al. 2020, arXiv:1909.03935. Local neighbourhood and kernel density: Hilprecht et al. 2019, "Monte Carlo
    and Reconstruction Membership Inference Attacks". Density ratio: van Breugel et al. 2023, arXiv:2302.12580 (DOMIAS).
    Generative likelihood: Ward et al. 2025, arXiv:2508.21146 (Gen-LRA).
    Classifier: Hayes et al. 2019, arXiv:1705.07663 (LOGAN).

    Args:
        patients: embedded rows of members and non-members, ``(N, P)``, N at least 3.
        synthetic: embedded synthetic rows, ``(S, P)``.
        seed: of the classifier.
    """
    around = min(NEIGHBOURS, len(patients) - 1, len(synthetic))
    to_made, made = nearest(patients, synthetic, neighbours=around)
    to_others = nearest(patients, patients, neighbours=around + 1)[0]
    spacing = float(np.median(to_others[:, 1])) or float(np.mean(to_others[:, 1])) or 1.0
    width = spacing / 2
    local = np.log(to_others[:, -1] + 1e-9) - np.log(to_made + 1e-9).mean(axis=1)
    like_made = kernel_log_density(patients, synthetic, width)
    like_real = kernel_log_density(patients, patients, width, leave_out=True)
    gain = _likelihood_gain(patients, synthetic, made, width)
    fitted = _classifier(patients, synthetic, seed=seed)
    return np.stack([-to_made[:, 0], local, like_made, like_made - like_real, gain, fitted])


def kernel_log_density(rows: Floats, centres: Floats, width: float, *, leave_out: bool = False) -> Floats:
    """Return the log of the mean Gaussian kernel around ``centres``, up to a constant.

    Args:
        rows: where, ``(N, P)``.
        centres: ``(M, P)``.
        width: standard deviation of the kernel.
        leave_out: rows and centres are the same, and none is its own neighbour.
    """
    out = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        kernel = -squared_distances(rows[start : start + CHUNK], centres) / (2 * width**2)
        if leave_out:
            at = np.arange(len(kernel))
            kernel[at, start + at] = -np.inf
        out[start : start + CHUNK] = log_sum_exp(kernel) - np.log(len(centres) - leave_out)
    return out


def log_sum_exp(values: Floats) -> Floats:
    """Return the log of the sum of exponentials of each row whose largest value is finite, ``(N,)``.

    To the last bit `scipy.special.logsumexp`, which does as much again for other kinds of numbers.
    """
    top = values.max(axis=1, keepdims=True)
    at_top = values == top
    count = at_top.sum(axis=1, dtype=np.float64)
    rest = np.exp(np.where(at_top, -np.inf, values) - top).sum(axis=1)
    return np.asarray(np.log1p(rest / count) + np.log(count) + top[:, 0])


def _likelihood_gain(patients: Floats, synthetic: Floats, near: Floats, width: float) -> Floats:
    """Return how much a patient adds to the likelihood of the synthetic rows nearby, on average.

    Args:
        patients: ``(N, P)``.
        synthetic: ``(S, P)``.
        near: positions of the synthetic rows nearest to each patient, ``(N, k)``.
        width: of the kernel.
    """
    patients = patients.astype(np.float64)  # once, not for each chunk
    squares = (patients**2).sum(axis=1)
    owners, out = np.repeat(np.arange(len(near)), near.shape[1]), np.empty(near.size)
    for start in range(0, len(out), CHUNK):
        at = slice(start, start + CHUNK)
        kernel = -squared_distances(synthetic[near.ravel()[at]], patients, squares) / (2 * width**2)
        cells = np.arange(len(kernel)), owners[at]
        own, kernel[cells] = kernel[cells], -np.inf
        others = log_sum_exp(kernel)
        out[at] = np.logaddexp(others, own) - others
    return np.asarray(out.reshape(near.shape).mean(axis=1))


def _classifier(patients: Floats, synthetic: Floats, *, seed: int) -> Floats:
    """Return how sure a forest is that a patient is synthetic, it not being trained on that patient."""
    draw = numpy_generator(seed, "attack")
    made = synthetic[draw.permutation(len(synthetic))[:MOST_FITTED]]
    out = np.empty(len(patients))
    for fold, (train, test) in enumerate(KFold(min(3, len(patients)), shuffle=True, random_state=seed).split(patients)):
        rows = np.concatenate([made, patients[train[:MOST_FITTED]]])
        label = np.repeat([1, 0], [len(made), len(rows) - len(made)])
        forest = RandomForestClassifier(TREES, class_weight="balanced", random_state=derive(seed, "forest", fold))
        out[test] = forest.fit(rows, label).predict_proba(patients[test])[:, 1]
    return out
