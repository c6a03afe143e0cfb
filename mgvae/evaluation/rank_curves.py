"""Receiver operating characteristic and precision-recall curves of predictions, on a grid of bounded size.

They agree with the measures of `mgvae.evaluation.measures.ranking`: sensitivity is averaged over the folds of a repeat with
their numbers of pairs as weights, so that the area below is the AUROC within folds; precision is that of all folds together.
"""

from __future__ import annotations

import numpy as np

from mgvae.arrays import BoolArray, FloatArray, IntArray
from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.arm_kinds import SAME_FIT
from mgvae.evaluation.predictions import Predictions
from mgvae.results.evaluation import Variant
from mgvae.results.rank_curves import RankCurve, RankCurves

POINTS = 51
RANKED: Variant = "raw"
DIGITS = 5
ROUNDING = 1e-12


def rank_curves(predictions: Predictions, *, points: int = POINTS) -> RankCurves:
    """Return the curves of every arm and classifier, averaged over the repeats.

    Args:
        predictions: of one part of the cohort.
        points: of each curve; those of the false positives lie closer together near 0, where rare outcomes are decided.
    """
    even = np.linspace(0, 1, points)
    table: dict[Arm, dict[Classifier, RankCurve]] = {}
    for (arm, classifier, variant), probability in predictions.probability.items():
        if variant == RANKED and arm not in SAME_FIT:
            repeats = list(zip(probability, predictions.fold, strict=True))
            sensitivity = [
                sensitivity_at(even**2, predictions.event, score, fold, predictions.weight) for score, fold in repeats
            ]
            precision = [precision_at(even, predictions.event, score, predictions.weight) for score, _ in repeats]
            table.setdefault(arm, {})[classifier] = RankCurve(
                sensitivity=_written(np.mean(sensitivity, axis=0)), precision=_written(np.mean(precision, axis=0))
            )
    return RankCurves(false_positive=_written(even**2), recall=_written(even), prevalence=predictions.share, arms=table)


def sensitivity_at(
    false_positive: FloatArray, event: IntArray, score: FloatArray, fold: IntArray, weight: FloatArray | None = None
) -> FloatArray:
    """Return the sensitivity at shares of false positives within folds, ``(G,)``.

    Args:
        false_positive: ``(G,)``, rising.
        event: outcome in {0, 1}, ``(N,)``, with both classes in some fold.
        score: ``(N,)``, higher for events.
        fold: number of each row's fold, ``(N,)``.
        weight: how many patients each row stands for, ``(N,)``; None: one each.
    """
    total, pairs = np.zeros(len(false_positive)), 0.0
    for rows in (fold == number for number in np.unique(fold)):
        hits, alarms = _reached(event[rows], score[rows], None if weight is None else weight[rows])
        paired = float(hits[-1] * alarms[-1])
        if paired:
            ends = np.concatenate([[0.0], alarms / alarms[-1]]), np.concatenate([[0.0], hits / hits[-1]])
            total += paired * np.interp(false_positive, *ends)  # of equal shares the highest sensitivity
            pairs += paired
    return total / pairs


def precision_at(recall: FloatArray, event: IntArray, score: FloatArray, weight: FloatArray | None = None) -> FloatArray:
    """Return the precision at the first cut that reaches each recall, ``(G,)``; tied rows enter together.

    Args:
        recall: ``(G,)``.
        event: outcome in {0, 1}, ``(N,)``, with at least one event.
        score: ``(N,)``, higher for events.
        weight: as in `sensitivity_at`.
    """
    hits, alarms = _reached(event, score, weight)
    place = np.searchsorted(hits / hits[-1], np.maximum(recall, hits[hits > 0][0] / hits[-1]) - ROUNDING)
    return np.asarray((hits / (hits + alarms))[place])


def _reached(event: IntArray, score: FloatArray, weight: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Return (weighted) events and non-events down to each distinct score, the highest first."""
    order = np.argsort(-score, kind="stable")
    last: BoolArray = np.append(np.diff(score[order]) != 0, True)
    rows = np.ones(len(event)) if weight is None else weight[order]
    hits, reached = (np.cumsum(one)[last] for one in (rows * event[order], rows))
    return hits, reached - hits


def _written(values: FloatArray) -> tuple[float, ...]:
    return tuple(np.round(values, DIGITS).tolist())
