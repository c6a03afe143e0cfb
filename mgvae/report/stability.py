"""Section "Stability and sample size": its sentences and figures."""

from __future__ import annotations

from collections.abc import Sequence

from mgvae.report.figures.events import by_events
from mgvae.report.figures.instability import MEASURES, by_risk, calibrations, heading, lowest_risk, name_of, predictions
from mgvae.report.figures.panel import Panel, Row, rows_of
from mgvae.report.formatting import METRICS, change, count, number, share
from mgvae.report.schema import Report
from mgvae.results.evaluation import Metric
from mgvae.results.instability import ArmInstability, InstabilityResult
from mgvae.results.labels import model_name
from mgvae.results.learning_curve import LearningCurveResult, LearningLine
from mgvae.results.sample_size import SampleSize

CURVE_METRICS: tuple[Metric, ...] = ("auroc", "net_benefit", "scaled_brier", "log_loss", "calibration_slope")
FEWEST_DRAWN = 10  # redeveloped models whose range is drawn: that of a few looks too narrow
CRITERIA = {
    "shrinkage": "Predictor effects overestimated by a tenth at most (shrinkage 0.9)",
    "optimism": "Apparent and adjusted R² (Nagelkerke) differ by 0.05 at most",
    "overall_risk": "Overall risk known to within 0.05",
}


def stability_sentences(report: Report) -> list[str]:
    """Return what is said of instability, sample size and learning curve, in sentences."""
    said = [instability_sentence(report.instability)] if report.instability else []
    if report.learning_curve:
        said.append(sample_size_sentence(report.learning_curve.sample_size))
        said += map(learning_sentence, report.learning_curve.lines)
    return said


def instability_sentence(result: InstabilityResult) -> str:
    """Return how far a patient's prediction depends on the sample of patients."""
    (plain, *_), worst = result.arms, max(result.arms, key=lambda entry: entry.changed.value or 0.0)
    text = (
        f"Developed on another sample of such patients, the model without correction would have predicted a patient's risk "
        f"{_points(plain)} otherwise on average (the mean risk is {share(result.prevalence, 2)}), and would have decided "
        f"otherwise for {share(plain.changed.value)} of the patients."
    )
    if worst.arm == plain.arm:
        return text + (" No other arm changes more decisions." if len({entry.arm for entry in result.arms}) > 1 else "")
    return text + f" {name_of(worst)} changes most decisions: {share(worst.changed.value)}, and {_points(worst)} of risk."


def sample_size_sentence(found: SampleSize) -> str:
    """Return whether the events are enough, as far as the limits of the AUROC allow."""
    needed, auroc = found.required_events, found.auroc
    each = found.per_parameter
    has = f"The training part has {count(found.events)} events for {count(found.parameters)} candidate parameters"
    has += f" ({number(each, 1)} for each)" if each is not None else ""
    if needed.value is None:
        return f"{has}; where the AUROC may be 0.5 or is unknown, no number of events is known to be enough."
    upper = "no number is enough" if needed.high is None else f"{count(needed.high)} are needed"
    verdict = (
        "That is enough"
        if needed.high is not None and found.events >= needed.high
        else "That is too few"
        if needed.low is not None and found.events < needed.low
        else "Whether that is enough cannot be decided"
    )
    return (
        f"{has}; a regression on these predictors needs {count(needed.value)} where its AUROC is {number(auroc.value, 3)}. "
        f"At the limits of that AUROC, {count(needed.low)} and {upper}. {verdict}."
    )


def learning_sentence(line: LearningLine) -> str:
    """Return whether performance still rises with the number of events."""
    name = model_name(line.arm, line.classifier)
    if "auroc" not in line.gain or line.gain["auroc"].value is None:
        return f"{name}: with fewer events it could not be fitted, so it is unknown whether performance still rises."
    before, last = line.points[-2:]
    text = f"{name}: with {number(last.events, 0)} training events instead of {number(before.events, 0)}, AUROC changes by "
    text += change("auroc", line.gain["auroc"])
    rises = (line.gain["auroc"].low or 0.0) > 0
    return text + (": more events are likely to improve it." if rises else ": that more events would improve it is not shown.")


def instability_panels(result: InstabilityResult) -> dict[str, list[Panel]]:
    """Return the figures of the instability, by part of the section."""
    arms, floor = result.arms, lowest_risk(result.arms)
    drawn = [entry for entry in arms if entry.redevelopments >= FEWEST_DRAWN]
    return {
        "predictions": [
            Panel(key, name_of(entry), predictions(entry, result.threshold, floor=floor, key=key), _bands([entry]))
            for entry in drawn
            if (key := f"instability-{entry.arm}-{entry.recalibration}")
        ],
        "by_risk": [
            Panel(
                key,
                heading(measure),
                by_risk(result.arms, measure, result.threshold, floor=floor, key=key),
                _bands(result.arms),
            )
            for measure in MEASURES
            if (key := f"instability-{measure}")
        ],
        "calibration": [
            Panel(key, name_of(entry), calibrations(entry, floor=floor, key=key), _curve_rows(entry))
            for entry in drawn
            if (key := f"recalibration-{entry.arm}-{entry.recalibration}")
        ],
    }


def _bands(entries: Sequence[ArmInstability]) -> list[Row]:
    return [row for one in entries for row in rows_of({"bands": one.bands}, arm=one.arm, recalibration=one.recalibration)]


def _curve_rows(entry: ArmInstability) -> list[Row]:
    return [row for place, curve in enumerate(entry.curves, 1) for row in rows_of(curve, arm=entry.arm, model=place)]


def learning_panels(result: LearningCurveResult) -> list[Panel]:
    """Return the learning curves, a figure for each measure that is known."""
    drawn = {metric: by_events(result.lines, metric, key=f"events-{metric}") for metric in CURVE_METRICS}
    return [
        Panel(f"events-{metric}", METRICS[metric].label, svg, _event_rows(result.lines, metric))
        for metric, svg in drawn.items()
        if svg is not None
    ]


def _event_rows(lines: Sequence[LearningLine], metric: Metric) -> list[Row]:
    return [
        row
        for line in lines
        for one in line.points
        for row in rows_of(
            {"share": one.share, "n": one.n, "events": one.events, metric: one.scores[metric]},
            arm=line.arm,
            classifier=line.classifier,
        )
    ]


def _points(entry: ArmInstability) -> str:
    value = entry.mape.value
    return f"{number(None if value is None else 100 * value, 2)} percentage points"
