"""Numbers and names in the spelling of the page and the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from mgvae.config.sections import Arm
from mgvae.results.cohort import Censoring, CohortSummary
from mgvae.results.evaluation import Metric, Variant
from mgvae.results.gates import Gate
from mgvae.results.labels import ARMS
from mgvae.results.numbers import Estimate
from mgvae.results.recommendation import Difference
from mgvae.results.synthetic import ByGroup, Repair, SyntheticSummary

UNKNOWN = "–"

VARIANTS: dict[Variant, str] = {"raw": "raw", "offset": "prior-shift offset", "recalibrated": "recalibrated"}
VERDICTS = {"pass": "pass", "warn": "warning", "cannot_tell": "cannot tell", "fail": "fail"}


@dataclass(frozen=True)
class MetricStyle:
    """How a measure is written.

    Attributes:
        label, short: in text and in a table's head.
        digits: decimals of the value and of its limits.
        better: "higher", "lower", or the value that is ideal.
    """

    label: str
    short: str
    digits: tuple[int, int]
    better: str


def _alert_styles() -> dict[Metric, MetricStyle]:
    """Return the styles of the measures of alerts."""
    cuts = {f"alert_{n}": f"with alerts for {n} %" for n in (1, 2, 5, 10)} | {
        f"spec_{n}": f"at specificity {n} %" for n in (90, 95)
    }
    kinds = {
        "sensitivity": ("Sensitivity", (3, 2), "higher"),
        "ppv": ("Positive predictive value", (3, 3), "higher"),
        "nne": ("Number needed to evaluate", (1, 1), "lower"),
    }
    return {
        cast(Metric, f"{kind}_at_{cut}"): MetricStyle(f"{label} {words}", f"{label} {words}", digits, better)
        for cut, words in cuts.items()
        for kind, (label, digits, better) in kinds.items()
    }


METRICS: dict[Metric, MetricStyle] = {
    "auroc": MetricStyle("AUROC", "AUROC", (3, 2), "higher"),
    "auprc": MetricStyle("Area under the precision-recall curve", "AUPRC", (3, 3), "higher"),
    "brier": MetricStyle("Brier score", "Brier", (4, 4), "lower"),
    "log_loss": MetricStyle("Log loss", "Log loss", (4, 3), "lower"),
    "scaled_brier": MetricStyle("Scaled Brier score", "Scaled Brier", (3, 3), "higher"),
    "observed_expected": MetricStyle("Observed / expected events", "O/E", (2, 2), "1"),
    "calibration_intercept": MetricStyle("Calibration intercept", "Cal. intercept", (2, 2), "0"),
    "calibration_slope": MetricStyle("Calibration slope", "Cal. slope", (2, 2), "1"),
    "ici": MetricStyle("Integrated calibration index", "ICI", (4, 4), "lower"),
    "e90": MetricStyle("90th percentile of the calibration error", "E90", (4, 4), "lower"),
    "emax": MetricStyle("Largest calibration error", "Emax", (3, 3), "lower"),
    "net_benefit": MetricStyle("Net benefit over the range of thresholds", "Net benefit", (4, 4), "higher"),
    "balanced_accuracy": MetricStyle("Balanced accuracy", "Bal. accuracy", (3, 2), "higher"),
    "g_mean": MetricStyle("G-mean", "G-mean", (3, 2), "higher"),
    "sensitivity": MetricStyle("Sensitivity", "Sensitivity", (3, 2), "higher"),
    "specificity": MetricStyle("Specificity", "Specificity", (3, 2), "higher"),
    "ppv": MetricStyle("Positive predictive value", "PPV", (3, 3), "higher"),
    "ppv_at_deployment": MetricStyle(
        "Positive predictive value at the deployment prevalence", "PPV deployed", (3, 3), "higher"
    ),
    "f1": MetricStyle("F1", "F1", (3, 3), "higher"),
    "mcc": MetricStyle("Matthews correlation coefficient", "MCC", (3, 3), "higher"),
    **_alert_styles(),
}


WithLimits = Estimate | Gate | Difference


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """Format ``value`` with ``digits`` decimals and grouped thousands.

    A negative number has a true minus sign, where ``signed`` a positive one a plus sign.
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{abs(value):,.{digits}f}"
    if not any(char in "123456789" for char in text):
        return text
    return ("−" if value < 0 else "+" if signed else "") + text


def count(value: float | None) -> str:
    """Return a whole number with grouped thousands."""
    return number(value, 0)


def share(value: float | None, digits: int = 1) -> str:
    """Return a share in 0..1 as a percentage."""
    return UNKNOWN if value is None else f"{number(100 * value, digits)}\u00a0%"


def limits(estimate: WithLimits, digits: int = 2, *, signed: bool = False) -> str:
    """Return ``(low to high)``, or nothing where a limit is unknown."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"({number(estimate.low, digits, signed=signed)} to {number(estimate.high, digits, signed=signed)})"


def measured(metric: Metric, estimate: WithLimits | None) -> str:
    """Return a measure as ``0.842 (0.81 to 0.87)``."""
    if estimate is None:
        return UNKNOWN
    digits = METRICS[metric].digits
    return f"{number(estimate.value, digits[0])} {limits(estimate, digits[1])}".rstrip()


def change(metric: Metric, estimate: WithLimits | None) -> str:
    """Return a difference as ``+0.012 (−0.003 to +0.027)``.

    Its limits lie near 0, so they have as many decimals as the value.
    """
    if estimate is None:
        return UNKNOWN
    digits = METRICS[metric].digits[0]
    return f"{number(estimate.value, digits, signed=True)} {limits(estimate, digits, signed=True)}".rstrip()


def gate_numbers(gate: Gate) -> tuple[str, str, str]:
    """Return value, limits and threshold of a gate.

    Where all are whole they have no decimals, where all are small more.
    """
    known = gate_known(gate)
    digits = 0 if all(x.is_integer() for x in known) else 4 if max(map(abs, known)) < 0.01 else 3
    return number(gate.value, digits), limits(gate, digits), " to ".join(number(bound, digits) for bound in gate.bounds)


def repair_effect(repair: Repair) -> str:
    """Return a sentence on what repair did to prediction."""
    found = repair.effect
    if found is None:
        return "Its effect on prediction cannot be measured: the patients held out have one class only."
    return (
        f"Logistic regression trained with synthetic cases has an AUROC of {number(found.before, 3)} before and "
        f"{number(found.after, 3)} after repair on the patients held out: {change('auroc', found.difference)}."
    )


def before_and_after(synthetic: SyntheticSummary) -> list[tuple[Gate, Gate]]:
    """Return each gate before and after repair."""
    before = {gate.name: gate for gate in synthetic.repair.gates} if synthetic.repair else {}
    return [(before[gate.name], gate) for gate in synthetic.gates if gate.name in before]


def gate_known(gate: Gate) -> list[float]:
    """Return all numbers of a gate that are known."""
    return [x for x in (gate.value, gate.low, gate.high, gate.real, *gate.bounds) if x is not None]


def plain(value: float | None) -> str:
    """Return a setting with no more digits than it needs: ``0``, ``0.3``, ``1,000``."""
    return UNKNOWN if value is None else f"{value:,.4g}".replace("-", "−")


def missing(shares: ByGroup) -> str:
    """Return missing shares as ``missing 31 / 25 / 26 %``."""
    parts = (shares.majority, shares.cases, shares.synthetic)
    if not any(parts):
        return "none missing" if None not in parts else "missing cells unknown"
    return f"missing {' / '.join(UNKNOWN if part is None else number(100 * part, 0) for part in parts)}\u00a0%"


def duration(seconds: float | None) -> str:
    """Return a time span as ``0.4 s``, ``38 s`` or ``3 min 20 s``."""
    if seconds is None:
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def mebibytes(amount: float | None) -> str:
    """Return an amount of memory or data in MiB as ``340 MiB`` or ``1.2 GiB``; unknown where it is 0."""
    if not amount:
        return UNKNOWN
    return f"{amount / 1024:.1f} GiB" if amount >= 1024 else f"{amount:.{1 if amount < 10 else 0}f} MiB"


def listing(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def arm_names(arms: Iterable[Arm]) -> str:
    """Return the names of arms as a listing."""
    return listing([ARMS[arm] for arm in arms])


def spelled(name: str) -> str:
    """Return a key of the report as a label: that of its measure, or its words."""
    known = [style.label for metric, style in METRICS.items() if metric == name]
    text = name.replace("_", " ")
    return known[0] if known else text[:1].upper() + text[1:]


def plural(n: int, noun: str) -> str:
    """Return ``1 gate``, ``3 gates``."""
    return f"{count(n)} {noun}" if n == 1 else f"{count(n)} {noun}s"


def shorten(text: str, most: int) -> str:
    """Return ``text`` on one line, cut to ``most`` characters with an ellipsis."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


WEIGHTED = (
    "Weighted are the measures, intervals, curves, subgroups, recalibration and learning curve, the calibration of redeveloped "
    "models, the effect of repair and the comparison with the champion. Not weighted are the fitting of classifiers (their "
    "risks are moved to the weighted share of events), the synthetic cases and their gates, drift, the participants' table, "
    "explanations and monitoring: these speak of the patients with a known outcome."
)


def event_share(cohort: CohortSummary, digits: int = 2) -> str:
    """Return the share of events as a percentage; with weights, it is not the ratio of the counts beside it."""
    return share(cohort.prevalence, digits) + (" by weights for unknown outcomes" if cohort.censoring else "")


def on_censoring(found: Censoring) -> str:
    """Return what a reader must know of weights against censoring."""
    cut = f" {plural(found.cut, 'weight')} had to be cut: the follow-up is too short for this horizon." if found.cut else ""
    return (
        f"Of {plural(found.unknown, 'patient')} the outcome is unknown, because their follow-up ended before the horizon "
        f"without the event. The {count(found.known)} others stand for them with weights of 1 to {number(found.highest, 2)}."
        f"{cut} Of those with a known outcome, {share(found.observed)} had the event; with weights, it is the share of all."
    )
