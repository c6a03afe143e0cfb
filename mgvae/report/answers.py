"""The questions that a reader opens a report with, each with its answer and its evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mgvae.config.sections import Arm
from mgvae.report.formatting import METRICS, change, count, event_share, listing, measured, plural
from mgvae.report.schema import Report
from mgvae.results.gates import Gate, Verdict, worst
from mgvae.results.labels import ARMS, model_name
from mgvae.results.numbers import Estimate

DISCLOSURE = frozenset(
    {
        "exact_copies",
        "near_copies",
        "quasi_identifiers",
        "parent_copies",
        "dcr_share",
        "membership_cases",
        "membership_parents",
        "attribute_inference",
        "linkage",
        "singling_out",
    }
)
SYNTHETIC: tuple[Arm, ...] = ("mgvae", "mgvae_no_ewc", "mgvae_no_pretraining", "vae")  # the most complete first
NOT_MADE = "Nothing was trained on this extract."


@dataclass(frozen=True)
class Answer:
    """An answer.

    Attributes:
        question: in plain words.
        verdict: of the answer; None where the question does not arise.
        word: the answer in a word or two.
        sentence: why.
        section: id of the section with the evidence.
        evidence: name of that section.
    """

    question: str
    verdict: Verdict | None
    word: str
    sentence: str
    section: str
    evidence: str


def answers(report: Report) -> list[Answer]:
    """Return the five answers of the first screen, in the order in which they depend on one another."""
    return [_extract(report), _credible(report), _leak(report), _help(report), _predicts(report)]


def study_sentence(report: Report) -> str:
    """Return who is studied, for what, over which time and with how many events."""
    cohort = report.cohort
    within = f" within {count(cohort.horizon_days)} days" if cohort.horizon_days is not None else ""
    repeated = any(step.patients is not None for step in cohort.flow)
    who = "possible prediction" if repeated else "patient"
    if cohort.n is None or cohort.events is None:
        return f"Prediction of “{cohort.outcome}”{within} from {plural(len(cohort.columns), 'predictor')}; nobody was counted."
    return (
        f"Prediction of “{cohort.outcome}”{within} from {plural(len(cohort.columns), 'predictor')}: "
        f"{plural(cohort.n, who)}, {plural(cohort.events, 'event')} ({event_share(cohort)})."
    )


def _extract(report: Report) -> Answer:
    question, place = "Is the extract fit for use?", ("validation", "Validation")
    found = report.validation
    if not found.passed:
        sentence = f"{count(len(found.failed))} of {plural(found.expectations, 'expectation')} not met."
        return Answer(question, "fail", "No", sentence, *place)
    kept = f"All {plural(found.expectations, 'expectation')} are met."
    if report.drift is not None and (state := worst(gate.verdict for gate in report.drift.gates)) != "pass":
        names = listing([f"“{gate.label}”" for gate in report.drift.gates if gate.verdict == state])
        word = "It has drifted" if state == "fail" else "With a remark"
        return Answer(question, state, word, f"{kept} Against the last accepted extract: {names}.", "drift", "Drift")
    about = [one for one in report.findings if one.code.startswith("MGV1") and one.muted is None and one.severity != "info"]
    if about:
        severe = any(one.severity == "severe" for one in about)
        sentence = f"{kept} To settle: {listing([f'{one.title} ({one.code})' for one in about])}."
        return Answer(
            question, "fail" if severe else "warn", "No" if severe else "With a remark", sentence, "findings", "Findings"
        )
    return Answer(question, "pass", "Yes", kept, *place)


def _credible(report: Report) -> Answer:
    gates = [gate for gate in _gates(report) if gate.name not in DISCLOSURE]
    words: dict[Verdict, str] = {"pass": "Yes", "warn": "With a remark", "cannot_tell": "Cannot tell", "fail": "No"}
    return _of_gates(report, "Are the synthetic cases credible?", gates, words, "resemblance")


def _leak(report: Report) -> Answer:
    gates = [gate for gate in _gates(report) if gate.name in DISCLOSURE]
    words: dict[Verdict, str] = {"pass": "Not found", "warn": "Possibly", "cannot_tell": "Cannot tell", "fail": "Yes"}
    return _of_gates(report, "Do they leak patients?", gates, words, "copies and attacks")


def _of_gates(report: Report, question: str, gates: list[Gate], words: dict[Verdict, str], on: str) -> Answer:
    place = ("synthetic", "Synthetic cases")
    if report.synthetic is None:
        return _not_made(report, question)
    if not report.synthetic.n:
        return Answer(question, None, "None made", "There is no synthetic case to judge.", *place)
    if not gates:
        return Answer(question, "cannot_tell", words["cannot_tell"], f"No gate on {on} was evaluated.", *place)
    state = _worst(gates)
    if state == "pass":
        return Answer(question, state, words[state], f"All {plural(len(gates), 'gate')} on {on} pass.", *place)
    standing = [gate for gate in gates if gate.verdict == state]
    what = {"fail": "failed", "warn": "to look at", "cannot_tell": "cannot tell"}[state]
    names = listing([f"“{gate.label}”" for gate in standing])
    return Answer(
        question, state, words[state], f"{len(standing)} of {plural(len(gates), 'gate')} on {on} {what}: {names}.", *place
    )


def _help(report: Report) -> Answer:
    question, place = "Do they help to predict?", ("evaluation", "Evaluation")
    chosen, evaluation = report.recommendation, report.evaluation
    if chosen is None or evaluation is None:
        return _not_made(report, question)
    if chosen.answer == "use" and chosen.arm in SYNTHETIC:
        return Answer(question, "pass", "Yes", f"{ARMS[chosen.arm]} is recommended: {_against(report, chosen.arm)}.", *place)
    arm = next((arm for arm in SYNTHETIC if _difference(report, arm) is not None), None)
    if arm is None:
        sentence = "No arm with synthetic cases could be compared with no correction."
        if chosen.answer == "use" and chosen.arm != "none":
            sentence += f" {ARMS[chosen.arm]} is recommended: {_against(report, chosen.arm)}."
        return Answer(question, None, "Not compared", sentence, *place)
    sentence = f"{ARMS[arm]} is not recommended: {_against(report, arm)}."
    if chosen.barred.get(arm):
        sentence = f"{ARMS[arm]} is kept out ({chosen.barred[arm]}): {_against(report, arm)}."
    if chosen.answer == "cannot_tell":
        smallest = chosen.smallest_gain.auroc if chosen.smallest_gain else None
        shown = "" if smallest is None else f" A true gain below {smallest:.3f} in AUROC would probably have been missed."
        return Answer(question, "cannot_tell", "Cannot tell", sentence + shown, *place)
    if chosen.answer == "use":
        sentence += f" {ARMS[chosen.arm]} is recommended in its place: {_against(report, chosen.arm)}."
    return Answer(question, "warn", "No", sentence, *place)


def _predicts(report: Report) -> Answer:
    question, place = "Does any model here predict?", ("evaluation", "Evaluation")
    chosen, evaluation = report.recommendation, report.evaluation
    if chosen is None or evaluation is None:
        return _not_made(report, question)
    scores = evaluation.arms.get(chosen.arm, {}).get(chosen.classifier, {}).get("recalibrated", {})
    name = model_name(chosen.arm, chosen.classifier)
    auroc = f"{METRICS['auroc'].label} {measured('auroc', scores.get('auroc'))}, cross-validated"
    if chosen.answer == "deploy_none":
        return Answer(question, "fail", "No", f"The best, {name}, does not pass the floor: {auroc}.", *place)
    if report.verdict.status == "unreliable":
        return Answer(
            question, "warn", "Not to be relied on", f"{name}: {auroc}. A severe finding stands.", "findings", "Findings"
        )
    return Answer(question, "pass", "Yes", f"{name}: {auroc}.", *place)


def _difference(report: Report, arm: Arm) -> Estimate | None:
    """Return the difference in AUROC from no correction with the recommended classifier, or any that has one."""
    if report.recommendation is None or report.evaluation is None:
        return None
    found = report.evaluation.differences.get(arm, {})
    ordered = (report.recommendation.classifier, *found)
    known = (found[name]["auroc"] for name in ordered if name in found and "auroc" in found[name])
    return next((one for one in known if one.value is not None), None)


def _against(report: Report, arm: Arm) -> str:
    found = _difference(report, arm)
    return f"AUROC {change('auroc', found)} against no correction" if found else "its difference is unknown"


def _gates(report: Report) -> tuple[Gate, ...]:
    return report.synthetic.gates if report.synthetic else ()


def _worst(gates: Iterable[Gate]) -> Verdict:
    """Return the worst verdict; unlike `worst`, a gate that cannot tell stays so where nothing is worse."""
    order: tuple[Verdict, ...] = ("fail", "warn", "cannot_tell")
    found = {gate.verdict for gate in gates}
    return next((verdict for verdict in order if verdict in found), "pass")


def _not_made(report: Report, question: str) -> Answer:
    invalid = report.status == "invalid"
    section, name = ("validation", "Validation") if invalid else ("lineage", "Lineage")
    return Answer(question, None, "Not asked", NOT_MADE if invalid else "The run did not get so far.", section, name)
