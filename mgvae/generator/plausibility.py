"""Which translations are kept: are they rare cases at all?

A majority-versus-case classifier, fitted on the training rows, says how much likelier a row is among cases than among majority
patients. Its judgement is cross-fitted: the slope of its log odds is corrected on rows that it has not seen. More translations
are made than are needed, and

- ``matched``: they are drawn again with weights r_case(x) / r_made(x), where r_made is what the same kind of classifier finds
  between translations and majority patients. What is kept then differs from the majority as the real cases do; relabelled
  majority patients are thinned out, and so is what the decoder exaggerates.
- ``filtered``: those that look less like a case than nearly all real cases do are dropped.

No translation is kept twice.

Source: sampling-importance resampling, Rubin 1987, doi:10.2307/2289460; density ratios by classification, Sugiyama et al. 2012;
rejection by a classifier, Azadi et al. 2019, arXiv:1810.06758.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import torch

from mgvae.arrays import Array
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.factory import make
from mgvae.classifiers.recalibration import fit_recalibration, to_logit
from mgvae.cohort.groups import Parts
from mgvae.cohort.split import folds
from mgvae.errors import OutcomeError
from mgvae.generator.translation import draw_parents
from mgvae.reproducibility import derive, numpy_generator
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import LEAST, capped

OVERSUPPLY = 4  # translations made for each that is kept
CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")  # their mean log odds judge: neither's faults decide alone
WIDE = 500  # columns beyond which logistic regression judges alone: boosting would take most of the time there
FOLDS = 5
ROUNDS = 3  # of weighing translations; on five cohorts one was too few, and six no better than two to four
MOST_ROWS = 20_000  # majority rows that a judge is fitted on: with more, a rare class gains nothing
IMPLAUSIBLE = 0.05  # share of the real cases that "filtered" would drop
Plausibility = Literal["matched", "filtered", "none"]
LogRatio = Callable[[pd.DataFrame], Array]


@dataclass(frozen=True)
class Kept:
    """Distinct positions of the translations that are kept, ``(n,)``; remarks."""

    rows: Array
    remarks: tuple[str, ...] = ()


def keep_plausible(
    made: pd.DataFrame,
    majority: pd.DataFrame,
    cases: pd.DataFrame,
    group: Array,
    *,
    n: int,
    how: Plausibility,
    seed: int,
) -> Kept:
    """Choose ``n`` of the translations.

    Args:
        made: translations, ``(M, P)``, M at least n.
        majority, cases: training rows, typed alike.
        group: group codes of the majority rows, then of the cases; a group is on one side of a fold unless
            groups cannot be divided so that each fold has both classes.
        n: how many are kept.
        how: see the module. With one case, or one group of them, nobody can judge, and the first n are kept.
        seed: of folds and classifiers.
    """
    event = np.repeat([False, True], [len(majority), len(cases)])
    if how == "none" or len(np.unique(group[event])) < 2 or len(made) == n or not n:
        return Kept(np.arange(n))
    like_case, of_cases, remarks = _case_ratio(pd.concat([majority, cases], ignore_index=True), event, group, seed=seed)
    score = like_case(made)
    if how == "filtered":
        implausible = score < np.quantile(of_cases, IMPLAUSIBLE)
        return Kept(
            np.lexsort((-score * implausible, implausible))[:n], remarks
        )  # the best of the rest fill up what is lacking
    return Kept(drawn_once(_matching_weight(score, made, majority, n, seed=seed), n, seed=seed), remarks)


def drawn_once(log_weight: Array, n: int, *, seed: int) -> Array:
    """Draw ``n`` distinct positions by ``log_weight (M,)``; M is more than n."""
    log_share = torch.from_numpy(np.log(_share(log_weight, n)))
    return draw_parents(len(log_weight), n, torch_generator(seed, "keep"), log_weight=log_share).numpy()


def _share(log_weight: Array, n: int) -> Array:
    """Return weights ``(M,)``, each below 1 / n: none of n is drawn twice."""
    return capped(np.exp(np.maximum(log_weight - log_weight.max(), LEAST)), (1 - 1e-6) / n)


def _case_ratio(features: pd.DataFrame, event: Array, group: Array, *, seed: int) -> tuple[LogRatio, Array, tuple[str, ...]]:
    """Return the log ratio of case to majority, cross-fitted values, remarks."""
    kept = event | _some(len(event), MOST_ROWS, seed)
    features, event, group = features[kept].reset_index(drop=True), event[kept], group[kept]
    unseen = np.empty(len(event))
    pairs, remarks = _judging_folds(event, group, derive(seed, "judge"))
    for train, test in pairs:
        judges = _judges(features.iloc[train].reset_index(drop=True), event[train], seed)
        unseen[test] = _log_odds(judges, features.iloc[test])
    slope = fit_recalibration(event.astype(np.int64), 1 / (1 + np.exp(-unseen))).slope
    final = _judges(features, event, seed)
    return lambda rows: slope * _log_odds(final, rows), slope * unseen[event], remarks


def _judging_folds(event: Array, group: Array, seed: int) -> tuple[list[tuple[Array, Array]], tuple[str, ...]]:
    """Return folds of groups, or of rows with a remark if a fold lacks a class."""
    try:
        return folds(event, group, n_folds=min(FOLDS, len(np.unique(group[event]))), seed=seed), ()
    except OutcomeError:
        single = Parts(np.zeros(len(event)), whole=False)
        count = max(2, min(FOLDS, int(event.sum()), int((~event).sum())))
        return folds(event, np.arange(len(event)), n_folds=count, seed=seed), single.remarks("Plausibility was judged")


def _matching_weight(score: Array, made: pd.DataFrame, majority: pd.DataFrame, n: int, *, seed: int) -> Array:
    """Return log weights ``(M,)`` that make translations differ by ``score``.

    Judges are shrunk towards "no difference", so that one round leaves some of it: each round adds what the weighted
    translations still lack.
    """
    majority = majority[_some(len(majority), MOST_ROWS, seed)]
    shown = min(len(made), MOST_ROWS)
    rows = pd.concat([majority, made.iloc[:shown]], ignore_index=True)
    label = np.repeat([False, True], [len(majority), shown])
    weight = np.zeros(len(made))
    for _ in range(ROUNDS):
        share = _share(weight, n)[:shown]
        balanced = np.concatenate([np.ones(len(majority)), share * len(majority) / share.sum()])
        weight += score - _log_odds(_judges(rows, label, seed, weights=balanced), made)
    return weight


def _judges(features: pd.DataFrame, label: Array, seed: int, *, weights: Array | None = None) -> list[Classifier]:
    names = CLASSIFIERS if features.shape[1] <= WIDE else CLASSIFIERS[:1]
    return [make(name, derive(seed, name)).fit(features, label.astype(np.int64), weights) for name in names]


def _log_odds(judges: list[Classifier], rows: pd.DataFrame) -> Array:
    return np.asarray(np.mean([to_logit(judge.predict_proba(rows)) for judge in judges], axis=0))


def _some(rows: int, most: int, seed: int) -> Array:
    """Return bool ``(rows,)``, true for ``most`` of them at random."""
    chosen = np.zeros(rows, dtype=bool)
    chosen[numpy_generator(seed, "some").permutation(rows)[:most]] = True
    return chosen
