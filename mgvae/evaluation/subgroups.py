"""Measure models by subgroup, and compare each subgroup with the rest.

Measures, resamples and limits are those of the evaluation: whole groups of the part are drawn, so that a subgroup's size varies
from draw to draw. Ranks are compared within folds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from mgvae.arrays import BoolArray, FloatArray
from mgvae.cohort.groups import groups_by_event
from mgvae.cohort.subgroups import Subgroup
from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.bootstrap import Resamples
from mgvae.evaluation.intervals import Sample, Score, estimates, t_quantile
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.decisions import decisions
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.summary import critical_value, threshold
from mgvae.results.evaluation import JUDGED, Metric, ModelName
from mgvae.results.numbers import Estimate, number
from mgvae.results.subgroups import (
    ColumnSubgroups,
    ModelSubgroups,
    RestDifference,
    SubgroupMetric,
    SubgroupPart,
    SubgroupScores,
)

MEASURED: tuple[SubgroupMetric, ...] = ("auroc", "observed_expected", "calibration_slope", "sensitivity", "ppv")
FEWEST_EVENTS = 10
FEWEST_OF_A_PART = 15

Scores = dict[SubgroupMetric, Score]


def subgroup_part(
    predictions: Predictions, groups: Sequence[Subgroup], models: Sequence[tuple[Arm, Classifier]], plan: Resamples
) -> SubgroupPart:
    """Measure models on one part of the cohort, by subgroup.

    Args:
        predictions: of the part's N patients.
        groups: subgroups of these patients, those of a column side by side.
        models: arms and classifiers; those without predictions are left out.
        plan: resamples of the part's groups.
    """
    known = [ModelName(arm=arm, classifier=name) for arm, name in models if (arm, name, JUDGED) in predictions.probability]
    return SubgroupPart(models=tuple(_model(_Measuring(predictions, model, plan), groups) for model in known))


@dataclass
class _Measuring:
    """A model's measures among some patients, each computed once."""

    predictions: Predictions
    model: ModelName
    plan: Resamples
    found: dict[bytes, Scores | None] = field(default_factory=dict)

    def among(self, member: BoolArray) -> Scores | None:
        """Return the measures among ``member``; None where they have too few events."""
        key = np.packbits(member).tobytes()
        if key not in self.found:
            enough = self.predictions.event[member].sum() >= FEWEST_EVENTS and (self.predictions.event[member] == 0).any()
            self.found[key] = self._scores(member) if enough else None
        return self.found[key]

    def _scores(self, member: BoolArray) -> Scores:
        draws: dict[SubgroupMetric, list[FloatArray]] = {name: [] for name in MEASURED}
        for weights in self.plan.chunks():
            for name, values in self._by_repeat(member, weights[member]).items():
                draws[name].append(values.mean(axis=0))
        whole, sample = self._by_repeat(member, self.predictions.weights[member]), self._sample(member)
        return {name: Score(whole[name][:, 0], np.concatenate(draws[name]), sample) for name in MEASURED}

    def _by_repeat(self, member: BoolArray, weights: FloatArray) -> dict[SubgroupMetric, FloatArray]:
        """Return each measure, ``(repeats, R)``."""
        predictions, event = self.predictions, self.predictions.event[member]
        key = (self.model.arm, self.model.classifier, JUDGED)
        judged = predictions.probability[key]
        raw = predictions.probability.get((*key[:2], "raw"), judged)
        each: list[dict[Metric, FloatArray]] = []
        for repeat, row in enumerate(judged):
            probability = row[member]
            alert = (row >= threshold(predictions, key, repeat))[member]
            each.append(
                ranking(event, raw[repeat][member], weights, predictions.fold[repeat][member])
                | accuracy(event, probability, weights)
                | calibration(event, probability, weights)
                | decisions(event, alert, weights)
            )
        return {name: np.stack([measures[name] for measures in each]) for name in MEASURED}

    def _sample(self, member: BoolArray) -> Sample:
        """Return what the measures rest on, counted in groups."""
        group, key = self.plan.group[member], (self.model.arm, self.model.classifier, JUDGED)
        total, event = len(np.unique(group)), self.predictions.event[member]
        events, others = groups_by_event(event, group)
        cuts = [threshold(self.predictions, key, repeat) for repeat in range(self.predictions.repeats)]
        rows = self.predictions.probability[key]
        alerts = float(np.mean([(row >= cut)[member] for row, cut in zip(rows, cuts, strict=True)]))
        return Sample(events=events, others=others, alerts=total * alerts)


def _model(measuring: _Measuring, groups: Sequence[Subgroup]) -> ModelSubgroups:
    """Return a model's measures in all patients and in each subgroup."""
    everyone = np.ones(len(measuring.predictions.event), dtype=bool)
    columns = [list(of_column) for _, of_column in groupby(groups, key=lambda group: group.column)]
    differences = {id(group): _against_rest(measuring, group, column) for column in columns for group in column}
    critical = {
        name: critical_values([difference[name] for difference in differences.values() if difference]) for name in MEASURED
    }
    return ModelSubgroups(
        arm=measuring.model.arm,
        classifier=measuring.model.classifier,
        overall=_scores(measuring, "all patients", everyone, {}, critical),
        columns=tuple(
            ColumnSubgroups(
                column=column[0].column,
                label=column[0].label,
                groups=tuple(_scores(measuring, one.level, one.member, differences[id(one)], critical) for one in column),
                ranges=_ranges([scores for one in column if (scores := measuring.among(one.member)) is not None]),
            )
            for column in columns
        ),
        comparisons=sum(_comparisons([differences[id(one)] for one in column]) for column in columns),
    )


def _against_rest(measuring: _Measuring, group: Subgroup, column: Sequence[Subgroup]) -> Scores:
    """Return a subgroup's measures less those of the column's other subgroups."""
    others = [other.member for other in column if other is not group]
    own = measuring.among(group.member)
    rest = measuring.among(np.any(others, axis=0)) if others else None
    return {} if own is None or rest is None else {name: own[name] - rest[name] for name in MEASURED}


def _comparisons(differences: Sequence[Scores]) -> int:
    """Return how many distinct comparisons a column has: of two levels, one mirrors the other."""
    found = sum(bool(difference) for difference in differences)
    return min(found, 1) if len(differences) == 2 else found


def critical_values(differences: Sequence[Score]) -> tuple[float, float]:
    """Return by how many standard errors some difference falls short of, and exceeds, its value by chance.

    Each is exceeded by the largest of all in 2.5 % of the resamples (single-step max-T), see `summary.contrasts`. Differences
    that are undefined in a resample do not count there.
    """
    defined = [_filled(one) for one in differences if len(one.defined) and np.isfinite(one.value)]
    return critical_value(defined, side=-1), critical_value(defined)


def _filled(score: Score) -> Score:
    return Score(score.repeats, np.where(np.isfinite(score.draws), score.draws, score.value), score.sample)


def _scores(
    measuring: _Measuring,
    level: str,
    member: BoolArray,
    difference: Scores,
    critical: dict[SubgroupMetric, tuple[float, float]],
) -> SubgroupScores:
    scores = measuring.among(member)
    of_metric: dict[Metric, Score] = {} if scores is None else {name: scores[name] for name in MEASURED}
    measures = estimates(of_metric)
    return SubgroupScores(
        level=level,
        n=int(member.sum()),
        events=int(measuring.predictions.event[member].sum()),
        too_few=scores is None,
        measures={name: measures[name] for name in MEASURED if name in measures},
        against_rest={name: _rest_difference(name, one, *critical[name]) for name, one in difference.items()},
    )


def _rest_difference(name: Metric, difference: Score, short: float, beyond: float) -> RestDifference:
    """Return a difference with its own limits and wider ones for all subgroups at once."""
    own = difference.difference(name)
    reach = np.nan if own.low is None or own.high is None else (own.high - own.low) / 2 / t_quantile(np.inf)
    low, high = difference.value - beyond * reach, difference.value + short * reach
    return RestDifference(**dict(own), family_low=number(low), family_high=number(high))


def _ranges(scores: Sequence[Scores]) -> dict[SubgroupMetric, Estimate]:
    """Return the range of each measure over two or more subgroups.

    A range is too large in small samples and more so in resamples: its upper limit is a percentile of the resamples, the lower
    one its mirror image, at least 0.
    """
    if len(scores) < 2:
        return {}
    found = {}
    for name in MEASURED:
        value = float(np.ptp([one[name].value for one in scores]))
        draws = np.ptp([one[name].draws for one in scores], axis=0)
        defined = draws[np.isfinite(draws)]
        high = float(np.quantile(defined, 0.975)) if len(defined) >= len(draws) / 2 else np.nan
        found[name] = Estimate(value=number(value), low=number(max(0.0, 2 * value - high)), high=number(max(high, value)))
    return found
