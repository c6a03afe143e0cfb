"""All figures of one report, and which of them are worth drawing."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from markupsafe import Markup, escape

from mgvae.config.sections import Arm, Classifier
from mgvae.report.figures.calibration import calibration, floor_of
from mgvae.report.figures.forest import common_span, forest
from mgvae.report.figures.marginals import marginal
from mgvae.report.figures.training import lambda_path, learning_curve
from mgvae.report.formatting import ARMS, CLASSIFIERS, METRICS, VARIANTS
from mgvae.report.palette import ARM_STYLES, COLOURS, light
from mgvae.report.schema import Report
from mgvae.results.evaluation import EvaluationFacts, Metric, Variant
from mgvae.results.numbers import Estimate
from mgvae.results.synthetic import LevelsMarginal, NumericMarginal
from mgvae.results.training import TrainingFacts

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
    drawn = [(data, marginal(data, key=f"marginal-{place}")) for place, data in enumerate(ranked[:MOST_MARGINALS])]
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
            learning_curve(training.pretrain, key="pretrain", title="Pre-training: ELBO by epoch"),
        ),
        (
            "Fine-tuning on the rare cases",
            learning_curve(training.finetune, key="finetune", title="Fine-tuning: ELBO by epoch"),
        ),
        ("Choice of λ", lambda_path(training.finetune.lambda_path, training.finetune.ewc_lambda, key="lambda")),
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
    svg = calibration(curves, floor=floor, key=f"calibration-{classifier}-{variant}", title=title)
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
                svg = forest(by_arm, metric, span=span, key=key, title=title, reference=reference)
                panels.setdefault(classifier, []).append(Panel(METRICS[metric].label, svg))
    return panels


def _rows(evaluation: EvaluationFacts, classifier: Classifier, metric: Metric) -> dict[Arm, Estimate]:
    found = {arm: by.get(classifier, {}).get(metric) for arm, by in evaluation.differences.items() if arm != "none"}
    return {arm: estimate for arm, estimate in found.items() if estimate is not None and estimate.value is not None}


LINE, MARGIN = 18, 64  # pixels: height of a line of the legend, and where the axes begin


def calibration_picture(facts: Report) -> str | None:
    """Return the recalibrated curves of the recommended classifier as an SVG image with its legend, as a data URL.

    Returns:
        None where nothing was evaluated.
    """
    if facts.evaluation is None or facts.recommendation is None:
        return None
    classifier = facts.recommendation.classifier
    panels = gallery(facts).calibration.get(classifier)
    if not panels:
        return None
    arms = [arm for arm, found in facts.evaluation.curves.items() if classifier in found]
    legend = [(ARMS[arm], light(ARM_STYLES[arm].colour), ARM_STYLES[arm].dash) for arm in arms]
    svg = _alone(str(panels[-1].svg), legend)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _alone(svg: str, legend: list[tuple[str, str, tuple[float, ...]]]) -> str:
    """Return an inline SVG as a document: with its name spaces, the light page's colours, and a legend below."""
    coloured = re.sub(r"var\(--([a-z-]+)\)", lambda found: COLOURS[found.group(1)][0], svg)
    size = re.search(r'viewBox="0 0 (\d+) (\d+)"', coloured)
    if size is None:
        raise ValueError("a figure must have a view box")
    width, height = int(size.group(1)), int(size.group(2))
    whole = height + LINE * (len(legend) + 1)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    head = f'<svg {spaces} width="{2 * width}" height="{2 * whole}" viewBox="0 0 {width} {whole}"'
    opened = re.sub(r"<svg[^>]*?viewBox=\"[^\"]*\"", head, coloured, count=1)
    ground = f'<rect width="{width}" height="{whole}" fill="{light("page")}"/>'
    lines = "".join(_line(place, *entry, below=height) for place, entry in enumerate(legend))
    return opened.replace(">", f">{ground}", 1).replace("</svg>", f"{lines}</svg>")


def _line(place: int, label: str, colour: str, dash: tuple[float, ...], *, below: int) -> str:
    y = below + LINE * place + LINE / 2
    dashes = f' stroke-dasharray="{" ".join(map(str, dash))}"' if dash else ""
    return (
        f'<line x1="{MARGIN}" x2="{MARGIN + 30}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"{dashes}/>'
        f'<text x="{MARGIN + 38}" y="{y + 4}" font-size="11" font-family="\'DejaVu Sans\', sans-serif" '
        f'fill="{light("ink")}">{escape(label)}</text>'
    )
