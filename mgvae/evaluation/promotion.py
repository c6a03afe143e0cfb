"""Champion against challenger on the same patients, and the rule of promotion.

The numbers of the rule are `mgvae.config.promotion.Promotion`; its reasons: docs/decisions/0049.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.groups import groups_by_event
from mgvae.config.promotion import Promotion
from mgvae.evaluation.bootstrap import Resamples, interval
from mgvae.evaluation.holdout_pool import enough
from mgvae.evaluation.intervals import Sample, Score, auroc_estimate, t_quantile
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.ranking import ranking
from mgvae.results.evaluation import Metric
from mgvae.results.findings import Finding, found
from mgvae.results.numbers import FEW_EVENTS, Estimate, number
from mgvae.results.promotion import (
    ChampionChange,
    HoldoutPool,
    HoldoutUse,
    MeasureComparison,
    ModelComparison,
    Outcome,
    PromotionComparison,
)

MEASURES: dict[Literal["auroc", "scaled_brier"], str] = {"auroc": "AUROC", "scaled_brier": "scaled Brier score"}
CHANCE = 0.5


def rule(numbers: Promotion) -> str:
    """Return the rule in plain English."""
    level = f"{numbers.level:.4g}"
    return (
        f"A run can become champion if its gates passed or only warned. Both models predict {_judges(numbers.nights)}, "
        f"without the patients, and their groups, that either model was trained on. With fewer than {FEW_EVENTS} "
        "events there, the comparison is undecided and the champion stays. Nobody can judge, and somebody is informed, "
        f"if the champion's AUROC is more than {numbers.auroc_drop:g} below that on its own hold-out when it was "
        f"promoted, or its observed/expected ratio another by a factor of more than {numbers.calibration_change:g}"
        f"{_newest_alone(numbers.nights)}, "
        f"each with the {level} interval of the change on that side; or if the new model's AUROC is not above "
        f"{CHANCE:g} with its {level} interval. Otherwise the differences in AUROC and scaled Brier score are "
        "computed on the same patients, with 0.95 intervals from a paired bootstrap of whole groups. The champion "
        f"stays if an interval lies wholly below 0, or reaches down to -{numbers.margin:g}. Else the new model is "
        "promoted if an interval lies wholly above 0. Of two models of which neither is better, the new one is "
        f"promoted if the champion's extract lacked at least {numbers.new_patients:.0%} of its training patients "
        f"and the differences since the last clear gain add up to at least -{numbers.margin:g}; else the champion "
        "stays. A quarter of a random hold-out is replaced after a promotion, once its patients have judged "
        f"{numbers.most_nights} times (median)."
    )


def _judges(nights: int) -> str:
    if nights == 1:
        return "the new run's hold-out"
    return (
        f"the new run's hold-out and those of up to {nights - 1} accepted extracts before it, back to the last whose drift was "
        "not judged, each patient once and by the newest record"
    )


def _newest_alone(nights: int) -> str:
    return "" if nights == 1 else f" (on the new hold-out alone where {FEW_EVENTS} events judge there)"


@dataclass(frozen=True)
class Performance:
    """How well a model predicts some patients.

    Attributes:
        auroc: with its resamples.
        calibration: logarithm of observed / expected events, with its resamples.
    """

    auroc: Score
    calibration: Score


@dataclass(frozen=True)
class Judgement:
    """What `rule` says.

    Attributes:
        outcome: promoted, kept, or that nobody can judge and the champion stays.
        reason: in words.
        finding: what somebody must see to; None for nothing.
    """

    outcome: Outcome
    reason: str
    finding: Finding | None = None


def compare_models(plan: Resamples, *, champion: FloatArray, challenger: FloatArray) -> ModelComparison:
    """Return both models' measures on the same rows, and the differences.

    Args:
        plan: the rows, N of them with and without the event, their weights and resamples of whole groups.
        champion, challenger: predicted probabilities, ``(N,)`` each.

    Raises:
        OutcomeError: draws of groups lack one class again and again.
    """
    event, models = plan.event, (champion, challenger)
    old, new = (_measure(event, probability, plan.whole) for probability in models)
    chunks = [[_measure(event, probability, weights) for probability in models] for weights in plan.chunks()]
    measures: dict[str, MeasureComparison] = {}
    for name in MEASURES:
        before, after = float(old[name][0]), float(new[name][0])
        low, high = interval(np.concatenate([second[name] - first[name] for first, second in chunks]))
        values = {"champion": before, "challenger": after, "value": after - before, "low": low, "high": high}
        measures[name] = MeasureComparison(**{key: number(value) for key, value in values.items()})
    return ModelComparison(n=len(event), events=int(event.sum()), bootstrap=plan.n, **measures)


def performance(plan: Resamples, probability: FloatArray) -> Performance:
    """Return how well one model predicts; arguments and errors are those of `compare_models`."""
    event, group = plan.event, plan.group
    sample = Sample(*groups_by_event(event, group))
    once = _measure(event, probability, plan.whole)
    chunks = [_measure(event, probability, w) for w in plan.chunks()]
    draws = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in ("auroc", "observed_expected")}
    with np.errstate(divide="ignore", invalid="ignore"):
        return Performance(
            auroc=Score(once["auroc"], draws["auroc"], sample),
            calibration=Score(np.log(once["observed_expected"]), np.log(draws["observed_expected"]), sample),
        )


def floor_of(challenger: Performance, level: float) -> Estimate:
    """Return the challenger's AUROC with the limits that must lie above chance."""
    return auroc_estimate(challenger.auroc, level)


def change_of(then: Performance, now: Performance, level: float) -> ChampionChange:
    """Return how the champion's performance changed since its promotion.

    Then and now count as independent. Where the same patients judge again the limits are too wide, so a change is found too
    seldom rather than too often.
    """
    ratio = _changed(then.calibration, now.calibration, level)
    with np.errstate(over="ignore"):
        factor = {key: number(float(np.exp(x))) for key, x in zip(("value", "low", "high"), ratio, strict=True)}
    auroc = _changed(then.auroc, now.auroc, level)
    return ChampionChange(
        events=int(then.auroc.sample.events),
        auroc=number(then.auroc.value),
        auroc_change=Estimate(**{key: number(x) for key, x in zip(("value", "low", "high"), auroc, strict=True)}),
        calibration_change=Estimate(**factor),
    )


def with_rule(
    found: ModelComparison,
    numbers: Promotion,
    *,
    left_out: int,
    floor: Estimate,
    change: ChampionChange,
    new_patients: float,
    lost_before: Mapping[str, float],
    use: HoldoutUse,
    pool: HoldoutPool | None = None,
) -> PromotionComparison:
    """Return a comparison with all that the rule reads.

    Args:
        found: the comparison.
        numbers: of the rule.
        left_out: patients who did not judge.
        floor: see `floor_of`.
        change: see `change_of`.
        new_patients: share of the training patients whom the champion's extract did not have.
        lost_before: by measure, the sum of the differences between champions since the last clear gain.
        use: how often these patients have judged.
        pool: of which hold-outs they are.
    """
    differences = {name: getattr(found, name) for name in MEASURES}
    return PromotionComparison(
        **dict(found),
        left_out=left_out,
        margin=numbers.margin,
        floor=floor,
        change=change,
        new_patients=new_patients,
        lost={name: lost_before.get(name, 0.0) + (one.value or 0.0) for name, one in differences.items()},
        gained=any(one.low is not None and one.low > 0 for one in differences.values()),
        use=use,
        pool=pool,
    )


def judge(found: PromotionComparison, numbers: Promotion) -> Judgement:
    """Return what `rule` says of a comparison with enough events."""
    on = _on(found.n, found.events)
    refused = _untrustworthy(found, numbers, on)
    if refused is not None:
        return refused
    differences = {label: getattr(found, name) for name, label in MEASURES.items()}
    texts = "; ".join(f"{label} {_text(difference)}" for label, difference in differences.items())
    worse = [label for label, one in differences.items() if one.high < 0]
    if worse:
        return Judgement("kept", f"Worse than the champion in {' and '.join(worse)} {on}: {texts}.")
    unsure = [label for label, one in differences.items() if one.low <= -numbers.margin]
    if unsure:
        loss = f"a loss of {numbers.margin:g} in {' and '.join(unsure)} is not excluded"
        return Judgement("kept", f"Not shown to be as good as the champion: {loss} {on}: {texts}.")
    if found.gained:
        return Judgement("promoted", f"Better than the champion {on}: {texts}.")
    alike = f"Neither better nor worse than the champion {on}: {texts}."
    if (found.new_patients or 0.0) < numbers.new_patients:
        few = f"only {found.new_patients or 0.0:.1%} of its training patients are new, {numbers.new_patients:.0%} are wanted"
        return Judgement("kept", f"{alike} The champion stays: {few}.")
    sums = {label: (found.lost or {}).get(name, 0.0) for name, label in MEASURES.items()}
    lost = [f"{label} {value:+.4f}" for label, value in sums.items() if value < -numbers.margin]
    if lost:
        return Judgement("kept", f"{alike} The champion stays: since the last clear gain models lost {' and '.join(lost)}.")
    return Judgement("promoted", f"{alike} {found.new_patients or 0.0:.1%} of its training patients are new.")


def _on(patients: int, events: int) -> str:
    return f"on {patients:,} patients with {events:,} events that the champion was not trained on"


def above_chance(floor: Estimate, on: str) -> Judgement | None:
    """Return that nobody can judge a model which is not clearly above chance; None where it is."""
    if floor.low is not None and floor.low > CHANCE:
        return None
    text = f"The new model's AUROC is {_estimate(floor)} {on}; the lower limit must be above {CHANCE:g}."
    return Judgement("cannot_judge", f"Cannot judge. {text}", found("MGV402", text))


def _untrustworthy(comparison: PromotionComparison, numbers: Promotion, on: str) -> Judgement | None:
    """Return that nobody can judge, and why; None if one can."""
    if any(x is None for name in MEASURES for x in _numbers(getattr(comparison, name))):
        return Judgement("cannot_judge", f"Cannot judge: a difference is undefined {on}.")
    fallen = [] if comparison.change is None else _fallen(comparison.change, numbers)
    if fallen:
        pool = comparison.pool
        if pool is not None and enough(pool.newest, pool.newest_events):
            on = _on(pool.newest, pool.newest_events)
        text = f"The champion's {' and '.join(fallen)} {on}."
        return Judgement("cannot_judge", f"Cannot judge. {text}", found("MGV401", text))
    return None if comparison.floor is None else above_chance(comparison.floor, on)


def _fallen(change: ChampionChange, numbers: Promotion) -> list[str]:
    auroc, ratio, out = change.auroc_change, change.calibration_change, []
    if _all(auroc) and auroc.value < -numbers.auroc_drop and auroc.high < 0:  # type: ignore[operator]
        out.append(f"AUROC was {change.auroc:.3f} when it was promoted and changed by {_estimate(auroc)}")
    if _all(ratio):
        value, low, high = math.log(ratio.value), math.log(ratio.low), math.log(ratio.high)  # type: ignore[arg-type]
        nearest = low if value >= 0 else -high
        if abs(value) > math.log(numbers.calibration_change) and nearest > 0:
            out.append(f"observed/expected ratio changed since its promotion by a factor of {_estimate(ratio)}")
    return out


def _all(estimate: Estimate) -> bool:
    return None not in (estimate.value, estimate.low, estimate.high) and 0 not in (estimate.value, estimate.low)


def _changed(then: Score, now: Score, level: float) -> tuple[float, float, float]:
    value = now.value - then.value
    reach = t_quantile(min(then.sample.events, now.sample.events), level) * math.hypot(then.se, now.se)
    return value, value - reach, value + reach


def _measure(event: IntArray, probability: FloatArray, weights: FloatArray) -> dict[Metric, FloatArray]:
    return {**ranking(event, probability, weights), **accuracy(event, probability, weights)}


def _numbers(difference: MeasureComparison) -> tuple[float | None, ...]:
    return difference.value, difference.low, difference.high


def _estimate(estimate: Estimate) -> str:
    value, low, high = ("?" if x is None else f"{x:.3f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def _text(difference: MeasureComparison) -> str:
    value, low, high = ("?" if x is None else f"{x:+.4f}" for x in _numbers(difference))
    return f"{value} ({low} to {high})"
