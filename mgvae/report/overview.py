"""The head of the page: the verdict, the recommendation, the key numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mgvae.config.sections import Arm
from mgvae.report.formatting import METRICS, change, count, event_share, listing, number, plural
from mgvae.report.schema import Report
from mgvae.results.evaluation import Metric, Scores
from mgvae.results.findings import Finding, VerdictStatus, counting
from mgvae.results.gates import Gate, Verdict
from mgvae.results.labels import CLASSIFIERS, model_name
from mgvae.results.recommendation import Recommendation

_HEADLINES: dict[VerdictStatus, str] = {
    "passed": "Passed",
    "warned": "Passed, with warnings",
    "failed": "Failed",
    "invalid": "Extract refused",
    "unreliable": "Not to be relied on",
}
_TONES: dict[VerdictStatus, Verdict] = {
    "passed": "pass",
    "warned": "warn",
    "failed": "fail",
    "invalid": "fail",
    "unreliable": "fail",
}
_MEANS: dict[Arm, str] = {
    "none": "no correction for imbalance",
    "class_weight": "class weights",
    "threshold": "a moved decision threshold",
    "random_oversampling": "random oversampling",
    "smote": "SMOTE",
    "vae": "synthetic cases from a VAE on the cases alone",
    "mgvae_no_pretraining": "MGVAE synthetic cases (no pre-training)",
    "mgvae_no_ewc": "MGVAE synthetic cases (no EWC)",
    "mgvae": "MGVAE synthetic cases",
    "guided": "the majority-guided score averaged in",
}
_SHOWN: tuple[Metric, ...] = ("auroc", "scaled_brier", "observed_expected", "calibration_slope")


@dataclass(frozen=True)
class Banner:
    """The verdict of the run and its reasons."""

    tone: str
    headline: str
    detail: str


@dataclass(frozen=True)
class Tile:
    """A key number with its name and a note in small print."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Performance:
    """The recommended model's measures in one part of the cohort.

    Attributes:
        source: how they were measured, with the number of events.
        scores: by measure, in the order of the page; empty where the part has none.
    """

    source: str
    scores: Scores


def banner(report: Report) -> Banner:
    """Return the verdict in words."""
    return Banner(_TONES[report.verdict.status], _HEADLINES[report.verdict.status], _detail(report))


def advice(report: Report) -> str:
    """Return the recommendation as one sentence; empty where there is none."""
    chosen = report.recommendation
    if chosen is None:
        return ""
    if report.verdict.status == "unreliable":
        return "Train nothing on these results before the severe findings are settled."
    if chosen.answer == "deploy_none":
        return chosen.reason
    classifier = CLASSIFIERS[chosen.classifier].lower()
    return f"Train with {_MEANS[chosen.arm]}: {classifier}, recalibrated on real patients."


def deciding_difference(recommendation: Recommendation) -> str:
    """Return the paired difference that decided, as text; empty where none is known."""
    found = recommendation.difference
    if found is None or found.value is None:
        return ""
    text = f"{METRICS[found.metric].label} {change(found.metric, found)}"
    if found.arm is not None:
        text = f"{model_name(found.arm, found.classifier)}, {text}"
    if found.family_low is not None:
        lowest = number(found.family_low, METRICS[found.metric].digits[0], signed=True)
        text += f"; lower limit {lowest} when all arms are allowed for"
    if found.evidence is not None and found.needed is not None:
        text += f"; evidence {number(found.evidence, 2, signed=True)} standard errors, needed {number(found.needed, 2)}"
    if found.expected_auroc is not None and found.expected_auroc.value is not None:
        text += f"; expected gain in AUROC {change('auroc', found.expected_auroc)}"
    return text


def tiles(report: Report) -> list[Tile]:
    """Return the key numbers: the cohort, the recommended model, the gates."""
    cohort = report.cohort
    made = []
    if cohort.n is not None:
        parts = f"{count(cohort.n_train)} to train, {count(cohort.n_test)} to test" if cohort.n_test else ""
        made.append(Tile("Patients", count(cohort.n), parts))
    if cohort.events is not None:
        made.append(
            Tile(
                "Events",
                count(cohort.events),
                event_share(cohort) if cohort.censoring else f"{event_share(cohort)} of patients",
            )
        )
    if report.synthetic:
        passed = sum(gate.verdict == "pass" for gate in report.synthetic.gates)
        made.append(
            Tile("Gates passed", f"{passed} of {len(report.synthetic.gates)}", plural(report.synthetic.n, "synthetic case"))
        )
    if not report.validation.passed:
        failed, total = len(report.validation.failed), report.validation.expectations
        made.append(Tile("Expectations failed", count(failed), f"of {count(total)}"))
        made.append(Tile("Rows read", count(report.validation.rows)))
    return made


def by_verdict(gates: tuple[Gate, ...], verdict: Verdict) -> list[str]:
    """Return the labels of the gates with this verdict, in quotation marks."""
    return [f"“{gate.label}”" for gate in gates if gate.verdict == verdict]


def performance(report: Report) -> list[Performance]:
    """Return the recommended model's recalibrated measures, cross-validation first.

    The parts stand side by side with their events: a hold-out of a few events says little alone.
    """
    chosen, evaluation, cohort = report.recommendation, report.evaluation, report.cohort
    if chosen is None or evaluation is None:
        return []
    parts = (("Cross-validation", evaluation.arms, cohort.events_train), ("Hold-out", evaluation.holdout, cohort.events_test))
    out = []
    for name, arms, events in parts:
        scores = arms.get(chosen.arm, {}).get(chosen.classifier, {}).get("recalibrated", {})
        if scores:
            counted = "events unknown" if events is None else plural(events, "event")
            shown: Scores = {metric: scores[metric] for metric in _SHOWN if metric in scores}
            out.append(Performance(f"{name}, {counted}", shown))
    return out


def finding_lines(findings: Sequence[Finding]) -> list[str]:
    """Return how many findings count and the worst of them, then the others, for the terminal."""
    counted = counting(findings)
    if not counted:
        return []
    worst, *others = counted
    first = f"{plural(len(counted), 'finding')}, the worst {worst.severity}: {worst.code} {worst.title}. {worst.detail}"
    return [first, *(f"{one.code} ({one.severity}) {one.title}. {one.detail}" for one in others)]


def _detail(report: Report) -> str:
    validation = report.validation
    if report.status == "invalid":
        failed = len(validation.failed)
        met = "is" if failed == 1 else "are"
        total = plural(validation.expectations, "expectation")
        return f"{count(failed)} of {total} {met} not met. Nothing was trained on this extract."
    if report.verdict.status == "unreliable":
        return f"{report.verdict.sentence} Gates and numbers below do not change that."
    gates = report.synthetic.gates if report.synthetic else ()
    drift = report.drift.gates if report.drift else ()
    failed_gates, drifted = by_verdict(gates, "fail"), by_verdict(drift, "fail")
    warned, unknown = (by_verdict((*gates, *drift), verdict) for verdict in ("warn", "cannot_tell"))
    sentences = []
    if drifted:
        sentences.append(f"The extract has drifted from the last accepted one: {listing(drifted)}. The run is not promoted.")
    if failed_gates:
        sentences.append(
            f"{len(failed_gates)} of {plural(len(gates), 'gate')} failed: {listing(failed_gates)}. "
            "Synthetic cases are kept out of the recommended model."
        )
    if warned:
        sentences.append(f"{plural(len(warned), 'gate')} to look at: {listing(warned)}.")
    if unknown:
        sentences.append(f"{plural(len(unknown), 'gate')} cannot tell: {listing(unknown)}.")
    if gates and not failed_gates and not drifted:
        sentences.insert(0, "No gate failed." if warned or unknown else f"All {plural(len(gates) + len(drift), 'gate')} pass.")
    counted = counting(report.findings)
    if counted:
        sentences.append(f"{plural(len(counted), 'finding')} below.")
    if report.warnings:
        sentences.append(f"{plural(len(report.warnings), 'warning')} below.")
    return " ".join(sentences)
