"""Measures with intervals, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mgvae.arrays import FloatArray
from mgvae.cohort.groups import groups_by_event
from mgvae.config.sections import Arm, Classifier, Evaluation
from mgvae.evaluation.arm_kinds import SAME_FIT
from mgvae.evaluation.bootstrap import Resamples
from mgvae.evaluation.intervals import Sample, Score, estimates, t_quantile
from mgvae.evaluation.measures.net_benefit import threshold_grid, threshold_range
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.metrics import measure_probabilities
from mgvae.evaluation.predictions import Key, Predictions
from mgvae.results.evaluation import JUDGED, ArmDifferences, ArmScores, Contrast, Contrasts, Gain, Metric, ModelName
from mgvae.results.numbers import Estimate, number

REFERENCE: Arm = "none"
PRIMARY: Metric = "auroc"
CONTRASTED: tuple[Metric, ...] = ("auroc", "scaled_brier", "net_benefit", "log_loss")  # the fields of Contrast
LEVEL = 0.975  # one-sided for the family, so that one arm alone would meet the usual 95 % interval

NO_DIFFERENCE = Estimate(value=0.0, low=0.0, high=0.0)

ScoreTable = dict[Key, dict[Metric, Score]]
MeasuresByRepeat = dict[Metric, FloatArray]


def by_fit(predictions: Predictions) -> list[Predictions]:
    """Return the predictions of each arm by themselves, with those of arms that share its fits."""
    keys: dict[Arm, list[Key]] = {}
    for key in predictions.probability:
        keys.setdefault(SAME_FIT.get(key[0], key[0]), []).append(key)
    return [replace(predictions, probability={key: predictions.probability[key] for key in part}) for part in keys.values()]


def score(predictions: Predictions, plan: Resamples, settings: Evaluation | None = None) -> ScoreTable:
    """Compute every measure of every arm, classifier and variant.

    All are computed on the same resamples. Ranks are compared within folds, on raw probabilities, so that all variants share
    them; the other measures pool the out-of-fold predictions of a repeat. Measures are averaged over the repeats. The intervals
    hold what the draw of subjects adds, with the fitted models given; what refitting adds shows in the spread over repeats.
    """
    settings = settings or Evaluation()
    draws: dict[Key, list[MeasuresByRepeat]] = {}
    for weights in plan.chunks():
        for key, found in _by_repeat(predictions, weights, settings):
            draws.setdefault(key, []).append({name: values.mean(axis=0) for name, values in found.items()})
    scores: ScoreTable = {}
    for key, whole in _by_repeat(predictions, predictions.weights, settings):
        sample = sample_of(predictions, plan, key)
        scores[key] = {
            name: Score(values[:, 0], np.concatenate([chunk[name] for chunk in draws[key]]), sample)
            for name, values in whole.items()
        }
    return {key: scores[twin] if (twin := _twin(key)) in scores else scores[key] for key in predictions.probability}


def _by_repeat(predictions: Predictions, weights: FloatArray, settings: Evaluation) -> Iterator[tuple[Key, MeasuresByRepeat]]:
    """Yield each measure, ``(repeats, R)``, by arm, classifier and variant."""
    thresholds = threshold_grid(decision_range(predictions, settings))
    ranks: dict[tuple[Arm, Classifier], list[MeasuresByRepeat]] = {}
    for key, probability in predictions.probability.items():
        if _twin(key) in predictions.probability:
            continue
        if key[:2] not in ranks:
            raw = predictions.probability.get((*key[:2], "raw"), probability)
            folds = zip(raw, predictions.fold, strict=True)
            ranks[key[:2]] = [ranking(predictions.event, row, weights, fold) for row, fold in folds]
        each = [
            ranks[key[:2]][repeat]
            | measure_probabilities(
                predictions.event,
                row,
                weights,
                threshold=threshold(predictions, key, repeat),
                thresholds=thresholds,
                deployment_prevalence=settings.deployment_prevalence,
            )
            for repeat, row in enumerate(probability)
        ]
        yield key, {name: np.stack([measures[name] for measures in each]) for name in each[0]}


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


def decision_range(predictions: Predictions, settings: Evaluation) -> tuple[float, float]:
    """Return the lowest and highest threshold of the net benefit."""
    return threshold_range(float(predictions.prevalence.mean()), settings.decision_thresholds)


def sample_of(predictions: Predictions, plan: Resamples, key: Key) -> Sample:
    """Return what the measures of an arm, a classifier and a variant rest on."""
    groups = int(plan.group.max()) + 1
    events, others = groups_by_event(predictions.event, plan.group)
    cuts = [threshold(predictions, key, repeat) for repeat in range(predictions.repeats)]
    alerts = float(np.mean([row >= cut for row, cut in zip(predictions.probability[key], cuts, strict=True)]))
    return Sample(events=events, others=others, alerts=groups * alerts)


def arms_table(scores: ScoreTable) -> ArmScores:
    """Return every measure with its interval, by arm, classifier and variant."""
    table: ArmScores = {}
    for (arm, classifier, variant), measures in scores.items():
        table.setdefault(arm, {}).setdefault(classifier, {})[variant] = estimates(measures)
    return table


def differences_table(scores: ScoreTable) -> ArmDifferences:
    """Return each recalibrated measure less that of ``none``, by arm and classifier."""
    table: ArmDifferences = {}
    for (arm, classifier, variant), measures in scores.items():
        if variant == JUDGED and arm != REFERENCE:
            plain = scores[REFERENCE, classifier, JUDGED]
            differences = {
                name: NO_DIFFERENCE if score is plain[name] else (score - plain[name]).difference(name)
                for name, score in measures.items()
            }
            table.setdefault(arm, {})[classifier] = differences
    return table


def contrasts(scores: ScoreTable) -> Contrasts:
    """Return the comparisons of recalibrated probabilities for the recommendation.

    The reference is the classifier with the highest AUROC without correction. Candidates are all other arms with all
    classifiers, less the arms that change no prediction. In each measure of `Contrast`, ``family_low`` and ``family_high`` are
    limits of which each holds for all candidates at once with 97.5 % confidence (single-step max-T over the shared resamples):
    the best of many arms looks better than it is. With few events they are as much wider as Student's t is than the normal.

    Source: Westfall and Young 1993, Resampling-Based Multiple Testing, for max-T.
    """
    plain = {key[1]: measures for key, measures in scores.items() if key[0] == REFERENCE and key[2] == JUDGED}
    best = max(plain, key=lambda classifier: plain[classifier][PRIMARY].value)
    others = {key[:2]: found for key, found in scores.items() if key[2] == JUDGED and key[0] not in (REFERENCE, *SAME_FIT)}
    differences = {name: {pair: found[name] - plain[best][name] for pair, found in others.items()} for name in CONTRASTED}
    gains = {name: _gains(found, name) for name, found in differences.items()}
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


def _gains(differences: dict[tuple[Arm, Classifier], Score], measure: Metric) -> dict[tuple[Arm, Classifier], Gain]:
    found = list(differences.values())
    up, down = critical_value(found), critical_value(found, side=-1)
    return {pair: _gain(difference, measure, up, down) for pair, difference in differences.items()}


def _gain(gain: Score, measure: Metric, up: float, down: float) -> Gain:
    wider = gain.se * t_quantile(gain.sample.events) / t_quantile(np.inf)
    return Gain(
        **dict(gain.difference(measure)),
        se=number(gain.se),
        family_low=number(gain.value - up * wider),
        family_high=number(gain.value + down * wider),
        least_repeat=number(gain.repeats.min()),
    )
