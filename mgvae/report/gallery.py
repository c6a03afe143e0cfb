"""All figures of one report, and which of them are worth drawing."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from mgvae.config import Arm, Classifier
from mgvae.report import figures
from mgvae.report.figures.calibration import floor_of
from mgvae.report.figures.forest import common_span
from mgvae.report.results import Estimate, EvaluationFacts, LevelsMarginal, Metric, NumericMarginal, TrainingFacts, Variant
from mgvae.report.schema import Report
from mgvae.report.text import ARMS, CLASSIFIERS, METRICS, VARIANTS

MOST_MARGINALS = 32
FOREST_METRICS: tuple[Metric, ...] = ("auroc", "auprc", "scaled_brier", "balanced_accuracy")


@dataclass(frozen=True)
class Panel:
    """A figure with its caption."""

    caption: str
    svg: Markup


@dataclass(frozen=True)
class Gallery:
    """The figures of the page, by section.

    Attributes:
        training: learning curves and the choice of lambda.
        marginals: the columns drawn, by falling distance; ``remaining`` are those for the table alone.
        calibration, forest: panels by classifier.
    """

    training: list[Panel]
    marginals: list[tuple[NumericMarginal | LevelsMarginal, Markup]]
    remaining: list[NumericMarginal | LevelsMarginal]
    calibration: dict[Classifier, list[Panel]]
    forest: dict[Classifier, list[Panel]]


def gallery(report: Report) -> Gallery:
    """Return all figures of the report; empty where there is nothing to draw."""
    found = report.synthetic.marginals if report.synthetic else ()
    ranked = sorted(found, key=lambda marginal: -(marginal.distance if marginal.distance is not None else -1.0))
    drawn = [(data, figures.marginal(data, key=f"marginal-{place}")) for place, data in enumerate(ranked[:MOST_MARGINALS])]
    return Gallery(
        training=_training(report.training) if report.training else [],
        marginals=drawn,
        remaining=ranked[MOST_MARGINALS:],
        calibration=_calibration(report.evaluation) if report.evaluation else {},
        forest=_forest(report.evaluation) if report.evaluation else {},
    )


def classifiers_of(evaluation: EvaluationFacts) -> list[Classifier]:
    """Return the classifiers that any arm has, in their order of first appearance."""
    return list(dict.fromkeys(classifier for by_classifier in evaluation.arms.values() for classifier in by_classifier))


def _training(training: TrainingFacts) -> list[Panel]:
    panels = [
        (
            "Pre-training on the majority",
            figures.learning_curve(training.pretrain, key="pretrain", title="Pre-training: ELBO by epoch"),
        ),
        (
            "Fine-tuning on the rare cases",
            figures.learning_curve(training.finetune, key="finetune", title="Fine-tuning: ELBO by epoch"),
        ),
        ("Choice of λ", figures.lambda_path(training.finetune.lambda_path, training.finetune.ewc_lambda, key="lambda")),
    ]
    return [Panel(caption, svg) for caption, svg in panels if svg is not None]


def _calibration(evaluation: EvaluationFacts) -> dict[Classifier, list[Panel]]:
    everything = [c for by_class in evaluation.curves.values() for by_variant in by_class.values() for c in by_variant.values()]
    floor = floor_of(everything)
    panels: dict[Classifier, list[Panel]] = {}
    for classifier in classifiers_of(evaluation):
        for variant in ("raw", "recalibrated"):
            panel = _calibration_panel(evaluation, classifier, variant, floor)
            if panel is not None:
                panels.setdefault(classifier, []).append(panel)
    return panels


def _calibration_panel(evaluation: EvaluationFacts, classifier: Classifier, variant: Variant, floor: float) -> Panel | None:
    curves = {
        arm: by_classifier[classifier][variant]
        for arm, by_classifier in evaluation.curves.items()
        if variant in by_classifier.get(classifier, {}) and by_classifier[classifier][variant].predicted
    }
    if not curves:
        return None
    title = f"Calibration, {CLASSIFIERS[classifier].lower()}, {VARIANTS[variant]} probabilities"
    svg = figures.calibration(curves, floor=floor, key=f"calibration-{classifier}-{variant}", title=title)
    return Panel(f"{VARIANTS[variant].capitalize()} probabilities", svg)


def _forest(evaluation: EvaluationFacts) -> dict[Classifier, list[Panel]]:
    panels: dict[Classifier, list[Panel]] = {}
    for metric in FOREST_METRICS:
        rows = {classifier: _rows(evaluation, classifier, metric) for classifier in classifiers_of(evaluation)}
        span = common_span([estimate for by_arm in rows.values() for estimate in by_arm.values()])
        for classifier, by_arm in rows.items():
            if by_arm:
                title = f"{METRICS[metric].label}, {CLASSIFIERS[classifier].lower()}: difference from no correction"
                key, reference = f"forest-{classifier}-{metric}", ARMS["none"].lower()
                svg = figures.forest(by_arm, metric, span=span, key=key, title=title, reference=reference)
                panels.setdefault(classifier, []).append(Panel(METRICS[metric].label, svg))
    return panels


def _rows(evaluation: EvaluationFacts, classifier: Classifier, metric: Metric) -> dict[Arm, Estimate]:
    found = {arm: by.get(classifier, {}).get(metric) for arm, by in evaluation.differences.items() if arm != "none"}
    return {arm: estimate for arm, estimate in found.items() if estimate is not None and estimate.value is not None}
