"""Membership by attack: can those trained on be distinguished from those who were not?

No attack is the strongest on every data set, so the strongest counts, and its interval allows for its having been chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from mgvae.cohort.embedding import Floats, nearest
from mgvae.reproducibility import derive, numpy_generator
from validation.attacks.scores import ATTACKS, AttackName, attack_scores
from validation.intervals import LEVEL, Interval, auc_interval, share
from validation.twosample import embedded_auc

FEWEST = 4  # members, and non-members
MOST_PATIENTS = 1000  # of each; more change an AUC by less than its interval is wide
MOST_SYNTHETIC = 20_000
PERMUTATIONS = 2000
FALSE_ALARMS = 0.1
OUTLYING = 0.1  # share of the patients farthest from their neighbours


@dataclass(frozen=True)
class Attacked:
    """The outcome of an attack.

    Attributes:
        name: of the attack.
        auc: with its own interval.
        caught: share of members above the score that 10 % of the non-members exceed; None with fewer than ten of them.
    """

    name: AttackName | Literal["likelihood ratio"]
    auc: Interval
    caught: Interval | None


@dataclass(frozen=True)
class Membership:
    """The outcome of all attacks.

    Attributes:
        members, others: how many patients were attacked.
        attacks: in the order of ``ATTACKS``.
        strongest: the largest AUC; the interval holds for the largest of all attacks.
        by_chance: the largest AUC that shuffled membership gives on average.
        p_value: how often shuffled membership gives as large an AUC.
        outlying: the same for the most outlying tenth; None where it has too few patients.
        blind: AUC of members against non-members without any synthetic row: what an attack owes to the patients, not to a leak
            (Das et al. 2024, arXiv:2406.16201).
    """

    members: int
    others: int
    attacks: tuple[Attacked, ...]
    strongest: Interval
    by_chance: float
    p_value: float
    outlying: Membership | None = None
    blind: Interval | None = None

    @property
    def best(self) -> Attacked:
        """The attack with the largest AUC."""
        return max(self.attacks, key=lambda attack: attack.auc.value)


def membership(members: Floats, others: Floats, synthetic: Floats, *, seed: int) -> Membership | None:
    """Attack patients who were trained on, and patients who were not.

    Args:
        members, others: embedded rows, ``(rows, P)``, at most ``MOST_PATIENTS`` of each are used.
        synthetic: embedded synthetic rows.
        seed: of all draws.

    Returns:
        The outcome; None with fewer than ``FEWEST`` patients on a side.
    """
    draw = numpy_generator(seed, "membership")
    inside, outside = (rows[draw.permutation(len(rows))[:MOST_PATIENTS]] for rows in (members, others))
    made = synthetic[draw.permutation(len(synthetic))[:MOST_SYNTHETIC]]
    if min(len(inside), len(outside)) < FEWEST or len(made) == 0:
        return None
    patients = np.concatenate([inside, outside])
    member = np.repeat([True, False], [len(inside), len(outside)])
    scores = attack_scores(patients, made, seed=derive(seed, "scores"))
    apart = nearest(patients, patients, neighbours=min(6, len(patients)))[0][:, -1]
    far = np.argsort(-apart, kind="stable")[: round(OUTLYING * len(patients))]
    outlying = _outcome(scores[:, far], member[far], seed=derive(seed, "outlying"))
    found = _outcome(scores, member, seed=derive(seed, "all"))
    return None if found is None else replace(found, outlying=outlying, blind=embedded_auc(inside, outside, seed=seed))


def aucs(scores: Floats, member: Floats) -> Floats:
    """Return the AUC of each row of ``scores (A, N)`` for each column of ``member (N, K)``."""
    ranks = stats.rankdata(scores, axis=1)
    inside = member.sum(axis=0)
    return np.asarray((ranks @ member - inside * (inside + 1) / 2) / (inside * (len(member) - inside)))


def _outcome(scores: Floats, member: Floats, *, seed: int) -> Membership | None:
    inside, outside = int(member.sum()), int((~member).sum())
    if min(inside, outside) < FEWEST:
        return None
    draw = numpy_generator(seed, "permutations")
    shuffled = draw.permuted(np.tile(member[:, None], PERMUTATIONS), axis=0)
    found = aucs(scores, member[:, None])[:, 0]
    by_chance = aucs(scores, shuffled).max(axis=0)
    strongest = float(found.max())
    return Membership(
        members=inside,
        others=outside,
        attacks=tuple(
            Attacked(name, auc_interval(float(auc), inside, outside), caught(row, member))
            for name, auc, row in zip(ATTACKS, found, scores, strict=True)
        ),
        strongest=auc_interval(strongest, inside, outside, level=_simultaneous(scores, by_chance, shuffled)),
        by_chance=float(by_chance.mean()),
        p_value=float((1 + (by_chance >= strongest - 1e-12).sum()) / (1 + PERMUTATIONS)),
    )


def _simultaneous(scores: Floats, by_chance: Floats, shuffled: Floats) -> float:
    """Return the level at which one attack's interval holds for the largest of all."""
    single = float(np.quantile(aucs(scores[:1], shuffled)[0], (1 + LEVEL) / 2)) - 0.5
    largest = float(np.quantile(by_chance, (1 + LEVEL) / 2)) - 0.5
    wider = max(largest / single, 1.0) if single > 0 else 1.0
    return float(2 * stats.norm.cdf(wider * stats.norm.ppf((1 + LEVEL) / 2)) - 1)


def caught(scores: Floats, member: Floats) -> Interval | None:
    """Return the share of members above the score that 10 % of the others exceed; None with fewer than ten others."""
    outside = np.sort(scores[~member])
    allowed = int(FALSE_ALARMS * len(outside))
    if allowed < 1:
        return None
    inside = scores[member]
    return share(int((inside > outside[-allowed - 1]).sum()), len(inside))
