"""Membership by shadow models: the likelihood-ratio attack.

Shadow generators, trained with and without a patient, say how that patient's score is distributed where the patient was trained
on and where not; the score under the attacked generator is compared with both.

Source: Carlini et al. 2022, arXiv:2112.03570 (LiRA).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from mgvae.arrays import Array, BoolArray
from mgvae.cohort.embedding import Floats, nearest
from mgvae.errors import ShapeError
from mgvae.reproducibility import numpy_generator
from validation.attacks.membership import FEWEST, Attacked, aucs, caught
from validation.intervals import auc_interval

NEIGHBOURS = 5
FEWEST_SIDES = 2  # shadow generators with a patient, and without


def closeness(patients: Floats, synthetic: Floats) -> Floats:
    """Return minus the mean log distance of each patient to the five nearest synthetic rows, ``(N,)``."""
    found = nearest(patients, synthetic, neighbours=min(NEIGHBOURS, len(synthetic)))[0]
    return np.asarray(-np.log(found + 1e-6).mean(axis=1))


def left_out(group: Array, shadows: int, *, parts: int, seed: int) -> BoolArray:
    """Return which patients each shadow generator does without, bool ``(shadows, N)``.

    The groups are dealt into ``parts``; each generator of a round leaves one part out. Then they are dealt anew, so each
    patient is left out equally often.

    Raises:
        ShapeError: ``shadows`` is no multiple of ``parts`` or there are fewer groups than parts.
    """
    names, codes = np.unique(group, return_inverse=True)
    if shadows % parts or len(names) < parts:
        raise ShapeError(
            f"Shadows must be a multiple of {parts} parts, with a group in each; got {shadows}, {len(names)} groups."
        )
    draw = numpy_generator(seed, "shadows")
    rounds = [draw.permutation(len(names)) % parts for _ in range(shadows // parts)]
    return np.stack([part[codes] == out for part in rounds for out in range(parts)])


def likelihood_ratios(target: Floats, shadow: Floats, without: BoolArray) -> Floats:
    """Return the log likelihood ratio of having been trained on, ``(N,)``.

    Scores of a patient are normal, with means of that patient with and without; the variances are those of all patients, which
    few shadow generators estimate better (Carlini et al. 2022, section VI).

    Args:
        target: scores under the attacked generator, ``(N,)``.
        shadow: scores under each shadow generator, ``(K, N)``.
        without: whether that generator did without the patient, ``(K, N)``.

    Raises:
        ShapeError: a patient has fewer than two generators on a side.
    """
    sides = []
    for chosen in (~without, without):
        count = chosen.sum(axis=0)
        if count.min() < FEWEST_SIDES:
            raise ShapeError(f"Each patient needs {FEWEST_SIDES} shadow generators on each side; got {int(count.min())}.")
        mean = np.where(chosen, shadow, 0.0).sum(axis=0) / count
        squares = np.where(chosen, (shadow - mean) ** 2, 0.0).sum(axis=0)
        variance = max(float(squares.sum() / (count - 1).sum()), 1e-12)
        # a further score scatters about the mean of few by more than about the true one
        sides.append(stats.norm.logpdf(target, mean, np.sqrt(variance * (1 + 1 / count))))
    return np.asarray(sides[0] - sides[1])


def attacked_by_ratio(ratios: Floats, member: BoolArray) -> Attacked | None:
    """Return AUC and share caught; None with fewer than four patients on a side."""
    inside, outside = int(member.sum()), int((~member).sum())
    if min(inside, outside) < FEWEST:
        return None
    auc = float(aucs(ratios[None], member[:, None])[0, 0])
    return Attacked("likelihood ratio", auc_interval(auc, inside, outside), caught(ratios, member))
