"""Intervals of measures, 95 %, that cover the truth also with few events.

Percentiles of a bootstrap cover too seldom below about 30 events: they are as narrow as the sample is small, and a share of 0
or 1 has none. So the bootstrap gives standard errors, and each kind of measure has its own rule. ``events`` are groups with an
event. `python -m tests.benchmarks.coverage` measures how often the limits hold the truth.

- A share (sensitivity, specificity, predictive value): Wilson's limits, with the number of observations that has the
  bootstrap's standard error; a share of 0 or 1 with the number that there is. Number needed to evaluate: the reciprocals.
- AUROC, AUPRC, band of the smooth calibration curve: symmetric on the logit scale, t-distributed with events - 1 degrees of
  freedom. An AUROC of almost 0 or 1 has the standard error of Hanley and McNeil instead of the bootstrap's.
- MCC, net benefit: symmetric, t-distributed alike.
- Brier score, log loss, observed / expected: symmetric on the log scale; F1: on the logit scale; scaled Brier score,
  calibration intercept and slope: symmetric. All normal.
- Balanced accuracy, G-mean, restated predictive value: from the limits of sensitivity and specificity (MOVER).
- ICI, E90: the upper limit is a percentile of the bootstrap, the lower one its mirror image, at least 0, because both are too
  large in small samples and more so in resamples. Emax, which hangs on the rarest rows, has no limits.
- Paired differences: symmetric, t-distributed; in shares with half an observation more in each cell of the table of agreement.
  Those in ICI and E90 have no limits: their biases differ.

Below two events nothing but shares has limits. Below five neither have calibration, F1 and MCC; their differences, below 15.

Sources: Wilson 1927, doi 10.1080/01621459.1927.10502953; Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747; Zou and
Donner 2008 (MOVER), doi 10.1002/sim.3095; Agresti and Min 2005, doi 10.1002/sim.1781.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import numpy as np
from scipy.special import expit, logit, stdtrit

from mgvae.arrays import FloatArray
from mgvae.results.evaluation import Metric
from mgvae.results.numbers import Estimate, number

Z = 1.959963984540054
TOO_FEW, ENOUGH = 5, 15
Limits = tuple[float, float]
NOTHING: Limits = (float("nan"), float("nan"))
Scale = Literal["plain", "log", "logit"]

# measure: (scale on which the limits are symmetric, whether they are t-distributed)
SYMMETRIC: dict[Metric, tuple[Scale, bool]] = {
    "auroc": ("logit", True),
    "auprc": ("logit", True),
    "mcc": ("plain", True),
    "net_benefit": ("plain", True),
    "brier": ("log", False),
    "log_loss": ("log", False),
    "scaled_brier": ("plain", False),
    "observed_expected": ("log", False),
    "calibration_intercept": ("plain", False),
    "calibration_slope": ("plain", False),
    "f1": ("logit", False),
}
FRAGILE: frozenset[Metric] = frozenset(("calibration_intercept", "calibration_slope", "ici", "e90", "f1", "mcc"))
BIASED: frozenset[Metric] = frozenset(("ici", "e90", "emax"))


@dataclass(frozen=True)
class Sample:
    """How much a measure rests on.

    Attributes:
        events: groups with an event.
        others: groups with a patient without one; a group may be counted twice.
        alerts: groups with a decision for the event.
    """

    events: float = float("inf")
    others: float = float("inf")
    alerts: float = float("inf")

    def behind(self, metric: Metric) -> float:
        """Return the number of observations of which a measure is a share."""
        if metric.startswith("sensitivity"):
            return self.events
        kind, _, percent = metric.rpartition("_")
        if kind == "ppv_at_alert":
            return (self.events + self.others) * float(percent) / 100
        if kind == "ppv_at_spec":
            return self.others * (1 - float(percent) / 100)
        return {"specificity": self.others, "ppv": self.alerts}.get(metric, self.events)


@dataclass(frozen=True)
class Score:
    """A measure, or a paired difference, of an arm, a classifier and a variant.

    Attributes:
        repeats: in each repeat of the cross-validation, ``(repeats,)``.
        draws: its mean over the repeats in each resample of the subjects, ``(R,)``.
        sample: what it rests on.
    """

    repeats: FloatArray
    draws: FloatArray
    sample: Sample = field(default_factory=Sample)

    @property
    def value(self) -> float:
        """The mean over the repeats."""
        return float(self.repeats.mean())

    @property
    def defined(self) -> FloatArray:
        """The draws that are defined; none where fewer than half are."""
        found = self.draws[np.isfinite(self.draws)]
        return found if len(found) >= max(2, len(self.draws) / 2) else found[:0]

    @property
    def se(self) -> float:
        """Standard error: of the resamples, and for the few events of which the bootstrap knows too little spread."""
        if not len(self.defined):
            return float("nan")
        return float(self.defined.std(ddof=1)) * few_events(self.sample.events)

    def __sub__(self, other: Score) -> Score:
        return Score(self.repeats - other.repeats, self.draws - other.draws, self.sample)

    def difference(self, metric: Metric | None = None) -> Estimate:
        """Return a paired difference with its limits; ``metric`` says in which measure."""
        return _estimate(self.value, _difference_limits(self, metric))


def few_events(events: float) -> float:
    """Return the factor by which a bootstrap's standard error is too small."""
    return float(np.sqrt(events / (events - 1))) if 1 < events < np.inf else 1.0


def t_quantile(events: float, level: float = 0.95) -> float:
    """Return how many standard errors the limits of a mean over events lie from it; NaN below two events."""
    return float(stdtrit(events - 1, (1 + level) / 2)) if events >= 2 else float("nan")


def auroc_estimate(score: Score, level: float) -> Estimate:
    """Return an AUROC with its limits at a level of choice."""
    return _estimate(score.value, _symmetric("auroc", score, level) if np.isfinite(score.value) else NOTHING)


def estimates(measures: Mapping[Metric, Score]) -> dict[Metric, Estimate]:
    """Return all measures of an arm, a classifier and a variant with their limits."""
    return {name: _estimate(score.value, _limits(name, score, measures)) for name, score in measures.items()}


def _estimate(value: float, limits: Limits) -> Estimate:
    return Estimate(value=number(value), low=number(limits[0]), high=number(limits[1]))


def _limits(metric: Metric, score: Score, measures: Mapping[Metric, Score]) -> Limits:
    events = score.sample.events
    if not np.isfinite(score.value) or (metric in FRAGILE and events < TOO_FEW):
        return NOTHING
    if metric in SYMMETRIC:
        return _symmetric(metric, score)
    if metric in BIASED:
        return NOTHING if metric == "emax" else _mirrored(score)
    if metric.startswith("nne"):
        low, high = _share_limits(cast(Metric, metric.replace("nne", "ppv")), measures)
        return 1 / high, 1 / low if low > 0 else float("nan")
    if metric in ("balanced_accuracy", "g_mean", "ppv_at_deployment"):
        return _combined(metric, score.value, measures)
    return _share_limits(metric, measures)


def _symmetric(metric: Metric, score: Score, level: float = 0.95) -> Limits:
    value, se, events = score.value, score.se, score.sample.events
    scale, few = SYMMETRIC[metric]
    reach = t_quantile(events, level) if few or events < TOO_FEW else Z
    if scale == "plain":
        return value - reach * se, value + reach * se
    if scale == "log":
        reach *= se / value if value > 0 else float("nan")
        return value * float(np.exp(-reach)), value * float(np.exp(reach))
    edge = 1 / (4 * events)
    if not edge <= value <= 1 - edge:
        value = float(np.clip(value, edge, 1 - edge))
        se = _hanley_mcneil(value, score.sample) if metric == "auroc" else float(np.sqrt(value * (1 - value) / events))
    reach *= se / (value * (1 - value)) if 0 < value < 1 else float("nan")
    low, high = expit(logit(value) - reach), expit(logit(value) + reach)
    return min(float(low), score.value), max(float(high), score.value)


def logit_limits(score: Score) -> Limits:
    """Return limits of a share that are symmetric on the logit scale and t-distributed."""
    value = score.value
    if not 0 < value < 1:
        return NOTHING
    reach = t_quantile(score.sample.events) * score.se / (value * (1 - value))
    return float(expit(logit(value) - reach)), float(expit(logit(value) + reach))


def _hanley_mcneil(auroc: float, sample: Sample) -> float:
    """Return the standard error of an AUROC from exponential scores."""
    two_events, two_others = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    spread = auroc * (1 - auroc)
    spread += (sample.events - 1) * (two_events - auroc**2) + (sample.others - 1) * (two_others - auroc**2)
    return float(np.sqrt(spread / (sample.events * sample.others)))


def _mirrored(score: Score) -> Limits:
    if not len(score.defined):
        return NOTHING
    high = float(np.quantile(score.defined, 0.975))
    return max(0.0, 2 * score.value - high), max(high, score.value)


def _share_limits(metric: Metric, measures: Mapping[Metric, Score]) -> Limits:
    score = measures[metric]
    value, se, n = score.value, score.se, score.sample.behind(metric)
    if 0 < value < 1 and se > 0:
        n = value * (1 - value) / se**2
    if not (np.isfinite(value) and 0 < n < np.inf):
        return NOTHING
    low, high = wilson(np.array(value), np.array(n))
    return float(low), float(high)


def wilson(share: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's 95 % interval of a share of ``n``."""
    z2 = Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * np.sqrt(share * (1 - share) / n + z2 / (4 * n**2))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def _combined(metric: Metric, value: float, measures: Mapping[Metric, Score]) -> Limits:
    """Return limits from those of sensitivity and specificity, which are independent."""
    found, missed = (_with_limits(name, measures) for name in ("sensitivity", "specificity"))
    if metric == "balanced_accuracy":
        below, above = (float(np.hypot(*(one[place] - one[1] for one in (found, missed)))) / 2 for place in (0, 2))
        return value - below, value + above
    if metric == "ppv_at_deployment":
        missed = 1 - missed
    with np.errstate(divide="ignore", invalid="ignore"):
        below, above = (float(np.hypot(*(np.log(one[place] / one[1]) for one in (found, missed)))) for place in (0, 2))
        if metric == "g_mean":
            return value * float(np.exp(-below / 2)), min(1.0, value * float(np.exp(above / 2)))
        return float(expit(logit(value) - below)), float(expit(logit(value) + above))


def _with_limits(metric: Metric, measures: Mapping[Metric, Score]) -> FloatArray:
    low, high = _share_limits(metric, measures)
    return np.array([low, measures[metric].value, high])


def _difference_limits(score: Score, metric: Metric | None) -> Limits:
    events = score.sample.events
    if metric in BIASED or (metric in FRAGILE and events < ENOUGH):
        return NOTHING
    if metric is not None and metric.startswith("nne") and len(score.defined) < 0.975 * len(score.draws):
        return NOTHING  # in some resamples no event is found
    reach = t_quantile(events) * float(np.hypot(score.se, _half_observations(metric, score.sample)))
    return score.value - reach, score.value + reach


def _half_observations(metric: Metric | None, sample: Sample) -> float:
    """Return what half an observation more in each cell adds to the standard error of a difference in shares."""
    if metric in ("balanced_accuracy", "g_mean"):
        return 0.5 / (sample.events + 2)
    share = metric is not None and metric.startswith(("sensitivity", "specificity", "ppv")) and metric != "ppv_at_deployment"
    return 1 / (sample.behind(metric) + 2) if share and metric is not None else 0.0
