"""The head of the page: the verdict, the recommendation, the key numbers."""

from __future__ import annotations

from dataclasses import dataclass

from mgvae.config.sections import Arm, Classifier
from mgvae.report.formatting import ARMS, CLASSIFIERS, METRICS, UNKNOWN, change, count, limits, listing, number, plural, share
from mgvae.report.schema import Report
from mgvae.results.evaluation import Metric, Scores
from mgvae.results.gates import Gate, Verdict
from mgvae.results.numbers import Estimate
from mgvae.results.recommendation import Recommendation

_HEADLINES = {"pass": "Passed", "warn": "Passed, with warnings", "fail": "Failed", "invalid": "Extract refused"}
_MEANS: dict[Arm, str] = {
    "none": "without any correction for imbalance",
    "class_weight": "with class weights",
    "threshold": "with a moved decision threshold",
    "random_oversampling": "with random oversampling",
    "smote": "with SMOTE",
    "vae": "with synthetic cases from a VAE on the cases alone",
    "mgvae_no_pretraining": "with MGVAE synthetic cases (no pre-training)",
    "mgvae_no_ewc": "with MGVAE synthetic cases (no EWC)",
    "mgvae": "with MGVAE synthetic cases",
}


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


def banner(report: Report) -> Banner:
    """Return the verdict in words."""
    tone = "fail" if report.status == "invalid" else report.status
    return Banner(tone, _HEADLINES[report.status], _detail(report))


def advice(recommendation: Recommendation) -> str:
    """Return the recommendation as one sentence."""
    classifier = CLASSIFIERS[recommendation.classifier].lower()
    return f"Deploy {classifier} {_MEANS[recommendation.arm]}, recalibrated on real patients."


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
    return text


def model_name(arm: Arm, classifier: Classifier | None) -> str:
    """Return ``MGVAE with logistic regression``."""
    return f"{ARMS[arm]} with {CLASSIFIERS[classifier].lower()}" if classifier else ARMS[arm]


def tiles(report: Report) -> list[Tile]:
    """Return the key numbers: the cohort, the recommended model, the gates."""
    cohort = report.cohort
    made = []
    if cohort.n is not None:
        parts = f"{count(cohort.n_train)} to train, {count(cohort.n_test)} to test" if cohort.n_test else ""
        made.append(Tile("Patients", count(cohort.n), parts))
    if cohort.events is not None:
        made.append(Tile("Events", count(cohort.events), f"{share(cohort.prevalence, 2)} of patients"))
    made += _performance(report)
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


def recommended_scores(report: Report) -> tuple[Scores, str] | None:
    """Return the recalibrated measures of the recommended model, and their source.

    The source is the test part where there is one, else the cross-validation.
    """
    chosen, evaluation = report.recommendation, report.evaluation
    if chosen is None or evaluation is None:
        return None
    for source, name in ((evaluation.holdout, "hold-out"), (evaluation.arms, "cross-validation")):
        scores = source.get(chosen.arm, {}).get(chosen.classifier, {}).get("recalibrated")
        if scores:
            return scores, name
    return None


def _performance(report: Report) -> list[Tile]:
    found = recommended_scores(report)
    if found is None:
        return []
    scores, source = found
    metrics: dict[Metric, str] = {"auroc": "", "observed_expected": ", ideal 1", "calibration_slope": ", ideal 1"}
    return [_measure(metric, scores.get(metric), source + extra) for metric, extra in metrics.items()]


def _measure(metric: Metric, estimate: Estimate | None, source: str) -> Tile:
    style = METRICS[metric]
    label = style.label.removesuffix(" events")
    if estimate is None:
        return Tile(label, UNKNOWN, source)
    interval = limits(estimate, style.digits[1]).strip("()")
    return Tile(label, number(estimate.value, style.digits[0]), f"{interval}, {source}" if interval else source)


def _detail(report: Report) -> str:
    validation = report.validation
    if report.status == "invalid":
        failed = len(validation.failed)
        met = "is" if failed == 1 else "are"
        total = plural(validation.expectations, "expectation")
        return f"{count(failed)} of {total} {met} not met. Nothing was trained on this extract."
    gates = report.synthetic.gates if report.synthetic else ()
    drift = report.drift.gates if report.drift else ()
    failed_gates, drifted = by_verdict(gates, "fail"), by_verdict(drift, "fail")
    warned = by_verdict((*gates, *drift), "warn")
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
    if gates and not failed_gates and not drifted:
        sentences.insert(0, "No gate failed." if warned else f"All {plural(len(gates) + len(drift), 'gate')} pass.")
    if report.warnings:
        sentences.append(f"{plural(len(report.warnings), 'warning')} below.")
    return " ".join(sentences)
