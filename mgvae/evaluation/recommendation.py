"""The rule by which an arm is recommended, if any; no correction wins ties."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from mgvae.cohort.build import FEW_EVENTS
from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.arms import GENERATIVE
from mgvae.evaluation.summary import JUDGED, PRIMARY
from mgvae.results.evaluation import Contrast, EvaluationResult, Gain, Metric, ModelName, Scores
from mgvae.results.gates import Gate
from mgvae.results.numbers import Estimate, number
from mgvae.results.recommendation import Answer, Difference, Recommendation, SmallestGain

CALIBRATED = (0.9, 1.1)  # observed / expected
RELEVANT_GAIN = 0.02
POWER = 0.8
NO_BETTER = "No model here predicts the outcome better than its prevalence; deploy none."


@dataclass(frozen=True)
class _Candidate:
    """An arm with a classifier, and the conditions that it does not meet."""

    arm: Arm
    classifier: Classifier
    gain: Gain
    objections: tuple[str, ...]


def rule(margin: float) -> str:
    """Return the rule in plain English."""
    return (
        "All arms are judged on recalibrated out-of-fold probabilities of real patients at natural prevalence. The "
        "reference is no correction with the classifier that has the highest AUROC. Another arm is recommended only if "
        "all of this holds: (1) its AUROC is higher than the reference's, and the lower limit of the paired difference is "
        "above 0 after allowing for the number of arms compared (max-T over the same bootstrap resamples, 97.5 % "
        "one-sided for the whole family); (2) the gain shows in every repeat of the cross-validation; (3) the lower 95 % "
        f"limit of its difference in scaled Brier score is not below -{margin:g}; (4) the 95 % interval of its calibration "
        "slope covers 1, or the slope is no farther from 1 than the reference's; (5) its observed/expected ratio is "
        f"within {CALIBRATED[0]:g}-{CALIBRATED[1]:g}, or no farther from 1 than the reference's; (6) no gate bars it. Of "
        "several such arms the one with the highest lower limit is taken. Otherwise, and always with fewer than "
        f"{FEW_EVENTS} events, no correction is recommended: it wins ties. Arms that move the decision threshold alone "
        "change no probability; the threshold is a separate choice, made on the recalibrated probabilities."
    )


def barred_arms(gates: Sequence[Gate], arms: Sequence[Arm]) -> dict[Arm, str]:
    """Return arm -> why it must not be recommended: a gate on its cases failed.

    Args:
        gates: on the synthetic cases.
        arms: the arms that were compared.
    """
    failed = [gate.label for gate in gates if gate.verdict == "fail"]
    return {arm: f"gate failed: {', '.join(failed)}" for arm in arms if arm in GENERATIVE and failed}


def recommend(
    evaluation: EvaluationResult,
    *,
    margin: float,
    relevant_gain: float = RELEVANT_GAIN,
    barred: Mapping[Arm, str] | None = None,
) -> Recommendation:
    """Return the recommendation.

    Its ``difference`` is that of the recommended arm against no correction, or of the best challenger where none is
    recommended.

    Args:
        evaluation: what `mgvae.evaluation.evaluate.evaluate` returns.
        margin: how much worse in scaled Brier score counts as no worse.
        relevant_gain: the gain in AUROC that a study must be able to find before it says that there is none.
        barred: arm -> why it must not be recommended, such as a failed gate.
    """
    barred = dict(barred or {})
    reference = evaluation.contrasts.reference
    candidates = _candidates(evaluation, margin, barred)
    winners = [candidate for candidate in candidates if not candidate.objections] if evaluation.events >= FEW_EVENTS else []
    best: _Candidate | None
    if winners:
        best = max(winners, key=lambda candidate: _known(candidate.gain.family_low))
    else:
        best = max(candidates, key=lambda candidate: (candidate.arm not in barred, _known(candidate.gain.value)), default=None)
    chosen = ModelName(arm=best.arm, classifier=best.classifier) if winners and best else reference
    smallest = _smallest_gain(best, evaluation.contrasts.critical, relevant_gain)
    answer = _answer(evaluation, chosen, smallest)
    reason = _reason(best, won=bool(winners), reference=reference, events=evaluation.events)
    return Recommendation(
        arm=chosen.arm,
        classifier=chosen.classifier,
        answer=answer,
        reason=NO_BETTER if answer == "deploy_none" else reason,
        rule=rule(margin),
        difference=_difference(best),
        smallest_gain=smallest,
        threshold=_threshold(evaluation, chosen),
        barred=barred,
    )


def _candidates(evaluation: EvaluationResult, margin: float, barred: Mapping[Arm, str]) -> list[_Candidate]:
    reference = evaluation.contrasts.reference
    plain = evaluation.arms[reference.arm][reference.classifier][JUDGED]
    return [
        _Candidate(
            arm,
            classifier,
            contrast.auroc,
            tuple(_objections(contrast, evaluation.arms[arm][classifier][JUDGED], plain, margin))
            + ((f"it is barred: {barred[arm]}",) if arm in barred else ()),
        )
        for arm, classifiers in evaluation.contrasts.against.items()
        for classifier, contrast in classifiers.items()
    ]


def _objections(contrast: Contrast, candidate: Scores, reference: Scores, margin: float) -> list[str]:
    """Return the conditions of the rule that do not hold, the undefined among them."""
    objections = []
    if not _above(contrast.auroc.family_low, 0.0):
        objections.append("the lower limit of its AUROC gain is not above 0")
    if not _above(contrast.auroc.least_repeat, 0.0):
        objections.append("the gain does not show in every repeat")
    if not _within(contrast.scaled_brier.low, -margin, math.inf):
        objections.append(f"its scaled Brier score may be more than {margin:g} worse")
    slope, plain = candidate["calibration_slope"], reference["calibration_slope"]
    if not (_covers(slope, 1.0) or _no_farther(slope.value, plain.value)):
        objections.append("its calibration slope is off after recalibration")
    ratio, plain = candidate["observed_expected"], reference["observed_expected"]
    if not (_within(ratio.value, *CALIBRATED) or _no_farther(ratio.value, plain.value)):
        objections.append("its observed/expected ratio is off after recalibration")
    return objections


def _answer(evaluation: EvaluationResult, chosen: ModelName, smallest: SmallestGain | None) -> Answer:
    reference = evaluation.contrasts.reference
    models = {(chosen.arm, chosen.classifier), (reference.arm, reference.classifier)}
    if not all(beats_prevalence(evaluation.arms[arm][classifier][JUDGED]) for arm, classifier in models):
        return "deploy_none"
    if chosen != reference:
        return "use"
    found = smallest.auroc if smallest else None
    return "no_gain" if smallest and found is not None and found <= smallest.relevant else "cannot_tell"


def beats_prevalence(scores: Scores) -> bool:
    """Return whether a model predicts better than the prevalence, by its intervals."""
    auroc, brier = scores.get("auroc"), scores.get("scaled_brier")
    return auroc is not None and brier is not None and _above(auroc.low, 0.5) and _above(brier.low, 0.0)


def _smallest_gain(best: _Candidate | None, critical: float | None, relevant: float) -> SmallestGain | None:
    """Return what the comparison with the best challenger could have found."""
    if best is None or critical is None or best.gain.low is None or best.gain.high is None:
        return None
    error = (best.gain.high - best.gain.low) / (2 * NormalDist().inv_cdf(0.975))
    gain = number((critical + NormalDist().inv_cdf(POWER)) * error)
    return SmallestGain(metric=PRIMARY, value=gain, auroc=gain, relevant=relevant)


def _known(value: float | None) -> float:
    """Return ``value``, or minus infinity where it is undefined."""
    return -math.inf if value is None else value


def _above(value: float | None, bound: float) -> bool:
    return value is not None and value > bound


def _within(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value <= high


def _covers(measure: Estimate, value: float) -> bool:
    return measure.low is not None and measure.high is not None and measure.low <= value <= measure.high


def _no_farther(value: float | None, reference: float | None) -> bool:
    return value is not None and reference is not None and abs(value - 1) <= abs(reference - 1)


def _difference(best: _Candidate | None) -> Difference:
    if best is None:
        return Difference(metric=PRIMARY, value=None, low=None, high=None)
    numbers = best.gain.model_dump(include={"value", "low", "high", "family_low"})
    return Difference(metric=PRIMARY, arm=best.arm, classifier=best.classifier, **numbers)


def _threshold(evaluation: EvaluationResult, chosen: ModelName) -> dict[str, str | float | None]:
    """Return where to cut the recalibrated probabilities, and what that gives."""
    measures = evaluation.arms[chosen.arm][chosen.classifier][JUDGED]
    names: tuple[Metric, ...] = ("balanced_accuracy", "sensitivity", "specificity", "ppv")
    return {
        "variant": JUDGED,
        "value": evaluation.prevalence,
        **{name: measures[name].value for name in names},
        "remark": (
            "Cutting the recalibrated probabilities at the prevalence weighs sensitivity and specificity alike and gives "
            "this balanced accuracy without touching the data. Where a missed case and a false alarm cost differently, "
            "cut elsewhere."
        ),
    }


def _reason(best: _Candidate | None, *, won: bool, reference: ModelName, events: int) -> str:
    plain = f"no correction with {_words(reference.classifier)}"
    if best is None:
        return f"Use {plain}: no other arm could be compared."
    gain = f"{_signed(best.gain.value)} (lower limit {_signed(best.gain.family_low)} allowing for all arms)"
    name = f"{_words(best.arm)} with {_words(best.classifier)}"
    if won:
        return f"{name} changes AUROC by {gain} against {plain}, and its recalibrated probabilities are no worse."
    if events < FEW_EVENTS:
        return f"Use {plain}: with {events} events no gain can be shown (at least {FEW_EVENTS} are needed)."
    return f"Use {plain}. The best challenger, {name}, changes AUROC by {gain}; {'; '.join(best.objections)}."


def _signed(value: float | None) -> str:
    return "an unknown amount" if value is None else f"{value:+.4f}"


def _words(name: str) -> str:
    return name.replace("_", " ")
