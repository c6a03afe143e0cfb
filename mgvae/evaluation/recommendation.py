"""The rule by which an arm is recommended, if any; no correction wins ties."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mgvae.config.sections import Arm, Classifier
from mgvae.evaluation.arm_kinds import GENERATIVE
from mgvae.evaluation.evidence import LUCK, POWER, PRIOR, evidence, expected_gain, needed, smallest_gain, worth
from mgvae.results.evaluation import JUDGED, Contrast, EvaluationResult, Metric, ModelName, Scores
from mgvae.results.gates import Gate
from mgvae.results.labels import named
from mgvae.results.numbers import FEW_EVENTS, Estimate
from mgvae.results.recommendation import Answer, Difference, Recommendation, SmallestGain

CALIBRATED = (0.8, 1.25)  # slope, observed / expected
DECIDING: Metric = "net_benefit"
NO_BETTER = "No model here predicts the outcome better than its prevalence; deploy none."


@dataclass(frozen=True)
class _Candidate:
    """An arm with a classifier, and the conditions that it does not meet."""

    arm: Arm
    classifier: Classifier
    contrast: Contrast
    evidence: float
    objections: tuple[str, ...]


def rule(relevant_gain: float) -> str:
    """Return the rule in plain English."""
    prior = " and ".join(f"{sd:g} with weight {weight:g}" for weight, sd in PRIOR.parts)
    low, high = CALIBRATED
    return (
        "All arms are judged on recalibrated out-of-fold probabilities of real patients at natural prevalence. The "
        "reference is no correction with the classifier that has the highest AUROC. A model passes the floor if the lower "
        "95 % limit of its AUROC is above 0.5 and its net benefit or its scaled Brier score is above 0. Another arm is "
        "recommended only if all of this holds: (1) its evidence, the mean of its gains in net benefit and log loss over the "
        "reference, each in units of its own standard error, reaches what the luckiest of the compared arms would reach in "
        f"{LUCK:.0%} of studies if none was any better; (2) its gain in AUROC, shrunk towards the published result that "
        f"corrections change it by nothing (a mixture of normals around 0 with standard deviations {prior}), is at least "
        f"{worth(relevant_gain):g}; (3) its AUROC is not lower than the reference's; (4) "
        f"neither its calibration slope nor its observed/expected ratio is off, that is outside {low:g}-{high:g} with a 95 % "
        "interval without 1, unless the reference's is as far from 1; (5) it passes the floor; (6) no gate bars it. Of several "
        "such arms the one with the strongest evidence is taken. Otherwise, and always with fewer than "
        f"{FEW_EVENTS} events, no correction is recommended: it wins ties. The answer is then 'no gain' if the study would "
        f"have found a true gain of {relevant_gain:g} in AUROC with a power of {POWER:.0%} in every arm whose 95 % interval "
        "still reaches it, else 'cannot tell'; and if the reference does not pass the floor, to deploy none. Arms that move "
        "the decision threshold alone change no probability; the threshold is a separate choice, made on the recalibrated "
        "probabilities."
    )


def barred_arms(gates: Sequence[Gate], arms: Sequence[Arm]) -> dict[Arm, str]:
    """Return arm -> why it must not be recommended: a gate on its cases failed.

    Args:
        gates: on the synthetic cases.
        arms: the arms that were compared.
    """
    failed = [gate.label for gate in gates if gate.verdict == "fail"]
    return {arm: f"gate failed: {', '.join(failed)}" for arm in arms if arm in GENERATIVE and failed}


def recommend(evaluation: EvaluationResult, *, relevant_gain: float, barred: Mapping[Arm, str] | None = None) -> Recommendation:
    """Return the recommendation.

    Its ``difference`` is that of the recommended arm against no correction, or of the best challenger where none is
    recommended.

    Args:
        evaluation: what `mgvae.evaluation.evaluate.evaluate` returns.
        relevant_gain: the gain in AUROC that a study must be able to find before it says that there is none.
        barred: arm -> why it must not be recommended, such as a failed gate.
    """
    barred = dict(barred or {})
    reference = evaluation.contrasts.reference
    candidates = _candidates(evaluation, barred, relevant_gain)
    enough = evaluation.events >= FEW_EVENTS
    winners = [one for one in candidates if not one.objections and enough]
    open_ones = winners or [one for one in candidates if one.arm not in barred] or candidates
    best = max(open_ones, key=lambda one: one.evidence, default=None)
    chosen = ModelName(arm=best.arm, classifier=best.classifier) if winners and best else reference
    smallest = smallest_gain(evaluation.contrasts, _undecided(candidates, best, barred, relevant_gain), relevant=relevant_gain)
    answer = _answer(evaluation, won=bool(winners), smallest=smallest)
    return Recommendation(
        arm=chosen.arm,
        classifier=chosen.classifier,
        answer=answer,
        reason=_reason(answer, best, smallest, reference, evaluation.events),
        rule=rule(relevant_gain),
        difference=_difference(best, needed(evaluation.contrasts)),
        smallest_gain=smallest,
        threshold=_threshold(evaluation, chosen),
        barred=barred,
    )


def beats_prevalence(scores: Scores) -> bool:
    """Return whether a model passes the floor: it predicts better than the prevalence."""
    auroc = scores.get("auroc")
    gains = [scores[name].value for name in ("net_benefit", "scaled_brier") if name in scores]
    return auroc is not None and _above(auroc.low, 0.5) and any(_above(gain, 0.0) for gain in gains)


def _undecided(
    candidates: Sequence[_Candidate], best: _Candidate | None, barred: Mapping[Arm, str], relevant_gain: float
) -> list[Contrast]:
    """Return the contrasts of arms that may still have a relevant gain, by their intervals; else the best challenger's."""
    allowed = [one.contrast for one in candidates if one.arm not in barred]
    open_ones = [one for one in allowed if one.auroc.high is None or one.auroc.high >= relevant_gain]
    return open_ones or ([best.contrast] if best is not None and best.arm not in barred else [])


def _answer(evaluation: EvaluationResult, *, won: bool, smallest: SmallestGain | None) -> Answer:
    reference = evaluation.contrasts.reference
    if won:
        return "use"
    if not beats_prevalence(evaluation.arms[reference.arm][reference.classifier][JUDGED]):
        return "deploy_none"
    found = smallest.auroc if smallest and evaluation.events >= FEW_EVENTS else None
    return "no_gain" if smallest and found is not None and found <= smallest.relevant else "cannot_tell"


def _candidates(evaluation: EvaluationResult, barred: Mapping[Arm, str], relevant_gain: float) -> list[_Candidate]:
    reference = evaluation.contrasts.reference
    plain = evaluation.arms[reference.arm][reference.classifier][JUDGED]
    threshold = needed(evaluation.contrasts)
    made = []
    for arm, classifiers in evaluation.contrasts.against.items():
        for classifier, contrast in classifiers.items():
            seen = evidence(contrast)
            scores = evaluation.arms[arm][classifier][JUDGED]
            objections = _objections(contrast, scores, plain, threshold=threshold, relevant_gain=relevant_gain)
            bar = (f"it is barred: {barred[arm]}",) if arm in barred else ()
            made.append(_Candidate(arm, classifier, contrast, -math.inf if seen is None else seen, (*objections, *bar)))
    return made


def _objections(
    contrast: Contrast, candidate: Scores, reference: Scores, *, threshold: float | None, relevant_gain: float
) -> list[str]:
    """Return the conditions of the rule that do not hold, the undefined among them."""
    objections = []
    seen, expected = evidence(contrast), expected_gain(contrast)
    if seen is None or threshold is None or seen < threshold:
        objections.append("its evidence in net benefit and log loss is no more than luck among the arms explains")
    if expected.value is None or expected.value < worth(relevant_gain):
        objections.append("too little is left of its gain once it is shrunk towards the published results")
    if not (contrast.auroc.value is not None and contrast.auroc.value >= 0):
        objections.append("its AUROC is lower")
    if _off(candidate["calibration_slope"], reference["calibration_slope"]):
        objections.append("its calibration slope is off after recalibration")
    if _off(candidate["observed_expected"], reference["observed_expected"]):
        objections.append("its observed/expected ratio is off after recalibration")
    if not beats_prevalence(candidate):
        objections.append("it does not predict better than the prevalence")
    return objections


def _above(value: float | None, bound: float) -> bool:
    return value is not None and value > bound


def _off(measure: Estimate, reference: Estimate) -> bool:
    """Return whether a ratio whose ideal is 1 is off by more than noise and more than the reference's; the unknown is off."""
    if measure.value is None or measure.low is None or measure.high is None:
        return True
    if measure.low <= 1 <= measure.high or CALIBRATED[0] <= measure.value <= CALIBRATED[1]:
        return False
    return reference.value is None or abs(measure.value - 1) > abs(reference.value - 1)


def _difference(best: _Candidate | None, threshold: float | None) -> Difference:
    if best is None:
        return Difference(metric=DECIDING, value=None, low=None, high=None)
    gain = best.contrast.net_benefit
    return Difference(
        metric=DECIDING,
        arm=best.arm,
        classifier=best.classifier,
        value=gain.value,
        low=gain.low,
        high=gain.high,
        family_low=gain.family_low,
        evidence=evidence(best.contrast),
        needed=threshold,
        expected_auroc=expected_gain(best.contrast),
    )


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


def _reason(answer: Answer, best: _Candidate | None, smallest: SmallestGain | None, reference: ModelName, events: int) -> str:
    """Return why, in numbers."""
    if answer == "deploy_none":
        return NO_BETTER
    plain = named("none", reference.classifier)
    if best is None:
        return f"Use {plain}: no other arm could be compared."
    name = named(best.arm, best.classifier)
    auroc, expected = _signed(best.contrast.auroc.value), _signed(expected_gain(best.contrast).value)
    gain = f"changes AUROC by {auroc} ({expected} once shrunk towards published results)"
    seen = f"and net benefit and log loss by {_errors(best.evidence)} standard errors"
    if answer == "use":
        return f"{name[0].upper()}{name[1:]} {gain} {seen} against {plain}, and its recalibrated probabilities are no worse."
    if events < FEW_EVENTS:
        return f"Use {plain}: with {events} events no gain can be shown (at least {FEW_EVENTS} are needed)."
    return f"Use {plain}. The best challenger, {name}, {gain} {seen}; {'; '.join(best.objections)}. {_found(answer, smallest)}"


def _found(answer: Answer, smallest: SmallestGain | None) -> str:
    if smallest is None or smallest.auroc is None:
        return "What gain the study could have found is unknown."
    found = f"the smallest true gain that this study finds with a power of {POWER:.0%} is {smallest.auroc:.3f} in AUROC"
    if answer == "no_gain":
        return f"There is no gain worth having: {found}, and none was found."
    return f"Whether there is a gain of {smallest.relevant:g} cannot be decided: {found}."


def _errors(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "an unknown number of"


def _signed(value: float | None) -> str:
    return "an unknown amount" if value is None else f"{value:+.4f}"
