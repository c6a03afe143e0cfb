"""Measures with intervals, paired differences and calibration curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.config.sections import Arm, Classifier, Evaluation
from mgvae.evaluation.arms import SAME_FIT
from mgvae.evaluation.bootstrap import Resamples, interval
from mgvae.evaluation.cross_validation import Predictions
from mgvae.evaluation.measures.net_benefit import threshold_grid, threshold_range
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.evaluation.metrics import measure
from mgvae.evaluation.one_split import Key
from mgvae.results.evaluation import (
    ArmCurves,
    ArmDifferences,
    ArmScores,
    Contrast,
    Contrasts,
    Curve,
    Gain,
    Metric,
    ModelName,
    Variant,
)
from mgvae.results.numbers import Estimate, number

JUDGED: Variant = "recalibrated"
REFERENCE: Arm = "none"
PRIMARY: Metric = "auroc"
CONTRASTED: tuple[Metric, ...] = ("auroc", "scaled_brier", "net_benefit", "log_loss")  # the fields of Contrast
LEVEL = 0.975  # one-sided for the family, so that one arm alone would meet the usual 95 % interval



def curve(event: IntArray, probability: FloatArray, *, bins: int = 10, repeats: int = 1) -> Curve:
    """Return the calibration curve in bins of about equal expected events.

    Equal groups of rows would put nine points of ten where a rare outcome never happens; equal expected events give each point
    about the same precision and reach the high risks, where decisions are made.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        probability: predicted probability, ``(N,)``.
        bins: most groups; fewer where there are fewer than five events for each.
        repeats: how often each subject occurs among the N rows; the intervals count it once.
    """
    bins = int(np.clip(event.sum() / repeats // 5, 1, bins))
    order = np.argsort(probability, kind="stable")
    p, y = probability[order], event[order]
    expected = np.cumsum(p)
    group = np.minimum((expected - p / 2) / expected[-1] * bins, bins - 1).astype(np.int64)
    n = np.bincount(group, minlength=bins).astype(np.float64)
    filled = n > 0
    n, events = n[filled], np.bincount(group, weights=y, minlength=bins)[filled]
    low, high = wilson(events / n, n / repeats)
    return Curve(
        predicted=tuple(np.bincount(group, weights=p, minlength=bins)[filled] / n),
        observed=tuple(events / n),
        low=tuple(map(number, low)),
        high=tuple(map(number, high)),
        n=tuple(n / repeats),
    )


def wilson(share: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's 95 % interval of a share of ``n``.

    Source: Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    z2 = WILSON_Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = WILSON_Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


@dataclass(frozen=True)
class Score:
    """A measure of an arm, a classifier and a variant.

    Attributes:
        repeats: the measure in each repeat of the cross-validation, ``(repeats,)``.
        draws: its mean over the repeats in each resample of the subjects, ``(R,)``.
    """

    repeats: FloatArray
    draws: FloatArray

    @property
    def value(self) -> float:
        """The mean over the repeats."""
        return float(self.repeats.mean())

    def __sub__(self, other: Score) -> Score:
        return Score(self.repeats - other.repeats, self.draws - other.draws)

    def summary(self) -> Estimate:
        """Return the value with its 95 % interval, percentiles of the resamples."""
        low, high = interval(self.draws)
        return Estimate(value=number(self.value), low=number(low), high=number(high))


ScoreTable = dict[Key, dict[Metric, Score]]
MeasuresByRepeat = dict[Metric, FloatArray]


def score(predictions: Predictions, plan: Resamples, settings: Evaluation | None = None) -> ScoreTable:
    """Compute every measure of every arm, classifier and variant.

    All are computed on the same resamples. Out-of-fold predictions of a repeat are pooled, measured, and the measures
    averaged over the repeats. The intervals hold what the draw of subjects adds, with the fitted models given; what refitting
    adds shows in the spread over repeats.
    """
    limits = threshold_range(float(predictions.prevalence.mean()), settings.decision_thresholds if settings else None)
    thresholds = threshold_grid(limits)
    keys = [key for key in predictions.probability if _twin(key) not in predictions.probability]
    draws: dict[Key, list[MeasuresByRepeat]] = {key: [] for key in keys}
    for weights in plan.chunks():
        for key, found in draws.items():
            found.append(_by_repeat(predictions, key, weights, thresholds))
    scores = {}
    for key, chunks in draws.items():
        whole = _by_repeat(predictions, key, unit_weights(len(predictions.event)), thresholds)
        scores[key] = {
            name: Score(values[:, 0], np.concatenate([chunk[name].mean(axis=0) for chunk in chunks]))
            for name, values in whole.items()
        }
    return {key: scores[twin] if (twin := _twin(key)) in scores else scores[key] for key in predictions.probability}


def _twin(key: Key) -> Key | None:
    """Return the key with the same decisions, for an arm that moves the raw threshold."""
    arm, classifier, variant = key
    return (SAME_FIT[arm], classifier, variant) if arm in SAME_FIT and variant != "raw" else None


def threshold(predictions: Predictions, key: Key, repeat: int) -> float | FloatArray:
    """Return the probability from which a row is called an event.

    Raw probabilities are cut at 0.5, as in the MGVAE paper; recalibrated ones, and those of the threshold arm, at the
    prevalence of the row's own fitting rows: with correct probabilities this weighs sensitivity and specificity alike.
    """
    arm, _, variant = key
    return 0.5 if variant == "raw" and arm not in SAME_FIT else predictions.prevalence[repeat]


def _by_repeat(predictions: Predictions, key: Key, weights: FloatArray, thresholds: FloatArray) -> MeasuresByRepeat:
    """Return each measure, ``(repeats, R)``."""
    each = [
        measure(predictions.event, row, weights, threshold=threshold(predictions, key, repeat), thresholds=thresholds)
        for repeat, row in enumerate(predictions.probability[key])
    ]
    return {name: np.stack([measures[name] for measures in each]) for name in each[0]}


def arms_table(scores: ScoreTable) -> ArmScores:
    """Return every measure with its interval, by arm, classifier and variant."""
    table: ArmScores = {}
    for (arm, classifier, variant), measures in scores.items():
        place = table.setdefault(arm, {}).setdefault(classifier, {})
        place[variant] = {name: score.summary() for name, score in measures.items()}
    return table


def differences_table(scores: ScoreTable) -> ArmDifferences:
    """Return each recalibrated measure less that of ``none``, by arm and classifier."""
    table: ArmDifferences = {}
    for (arm, classifier, variant), measures in scores.items():
        if variant == JUDGED and arm != REFERENCE:
            plain = scores[REFERENCE, classifier, JUDGED]
            differences = {name: (score - plain[name]).summary() for name, score in measures.items()}
            table.setdefault(arm, {})[classifier] = differences
    return table


def curves_table(predictions: Predictions) -> ArmCurves:
    """Return the calibration curves, by arm, classifier and variant."""
    event = np.tile(predictions.event, predictions.repeats)
    table: ArmCurves = {}
    for (arm, classifier, variant), probability in predictions.probability.items():
        place = table.setdefault(arm, {}).setdefault(classifier, {})
        place[variant] = curve(event, probability.ravel(), repeats=predictions.repeats)
    return table


def contrasts(scores: ScoreTable) -> Contrasts:
    """Return the comparisons of recalibrated probabilities for the recommendation.

    The reference is the classifier with the highest AUROC without correction. Candidates are all other arms with all
    classifiers, less the arms that change no prediction. In each measure of `Contrast`, ``family_low`` and ``family_high`` are
    limits of which each holds for all candidates at once with 97.5 % confidence (single-step max-T over the shared resamples):
    the best of many arms looks better than it is.

    Source: Westfall and Young 1993, Resampling-Based Multiple Testing, for max-T.
    """
    plain = {key[1]: measures for key, measures in scores.items() if key[0] == REFERENCE and key[2] == JUDGED}
    best = max(plain, key=lambda classifier: plain[classifier][PRIMARY].value)
    others = {key[:2]: found for key, found in scores.items() if key[2] == JUDGED and key[0] not in (REFERENCE, *SAME_FIT)}
    differences = {name: {pair: found[name] - plain[best][name] for pair, found in others.items()} for name in CONTRASTED}
    gains = {name: _gains(found) for name, found in differences.items()}
    against: dict[Arm, dict[Classifier, Contrast]] = {}
    for arm, classifier in others:
        contrast = Contrast.model_validate({name: gains[name][arm, classifier] for name in CONTRASTED})
        against.setdefault(arm, {})[classifier] = contrast
    return Contrasts(
        reference=ModelName(arm=REFERENCE, classifier=best),
        candidates=len(others),
        critical=number(critical_value(list(differences[PRIMARY].values()))),
        against=against,
    )


def critical_value(gains: list[Score], *, level: float = LEVEL, side: int = 1) -> float:
    """Return the quantile ``level`` of the largest studentised deviation of all gains.

    It is the multiple of its standard error by which a gain may exceed its value (``side`` 1) or fall short of it (-1) by
    chance.
    """
    deviations = [side * (gain.draws - gain.value) / error for gain in gains if (error := gain.draws.std(ddof=1)) > 0]
    return float(np.quantile(np.max(deviations, axis=0), level)) if deviations else 0.0


def _gains(differences: dict[tuple[Arm, Classifier], Score]) -> dict[tuple[Arm, Classifier], Gain]:
    found = list(differences.values())
    up, down = critical_value(found), critical_value(found, side=-1)
    return {pair: _gain(difference, up, down) for pair, difference in differences.items()}


def _gain(gain: Score, up: float, down: float) -> Gain:
    error = float(gain.draws.std(ddof=1))
    return Gain(
        **dict(gain.summary()),
        se=number(error),
        family_low=number(gain.value - up * error),
        family_high=number(gain.value + down * error),
        least_repeat=number(gain.repeats.min()),
    )
