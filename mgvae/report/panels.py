"""The figures of a report, by section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mgvae.config.sections import Arm, Classifier
from mgvae.report.figures.calibration import calibration, floor_of
from mgvae.report.figures.decision import decision, top_of
from mgvae.report.figures.density_map import density_map
from mgvae.report.figures.forest import common_span, forest
from mgvae.report.figures.marginals import marginal
from mgvae.report.figures.panel import Panel, Row, rows_by, rows_of
from mgvae.report.figures.ranks import highest, precision_recall, receiver
from mgvae.report.figures.risks import distributions, lowest
from mgvae.report.figures.training import lambda_path, learning_curve
from mgvae.report.formatting import METRICS, VARIANTS
from mgvae.report.schema import Report
from mgvae.results.density_map import DensityMap
from mgvae.results.evaluation import Curve, DecisionCurve, DecisionCurves, EvaluationSummary, Metric, Variant
from mgvae.results.labels import ARMS, CLASSIFIERS
from mgvae.results.numbers import Estimate
from mgvae.results.rank_curves import RankCurve, RankCurves
from mgvae.results.risk_tables import recalibrated_risks
from mgvae.results.synthetic import LevelsMarginal, NumericMarginal
from mgvae.results.training import TrainingSummary

MOST_MARGINALS = 32
CALIBRATION_VARIANTS: tuple[Variant, ...] = ("raw", "recalibrated")
FOREST_METRICS: tuple[Metric, ...] = ("auroc", "auprc", "scaled_brier", "net_benefit")


@dataclass(frozen=True)
class CalibrationPanels:
    """Calibration plots of a classifier, and the arms that they show."""

    panels: list[Panel]
    arms: list[Arm]


@dataclass(frozen=True)
class Panels:
    """The figures of the page, by section.

    Attributes:
        training: learning curves and the choice of lambda.
        map: where majority, real cases and synthetic cases lie.
        marginals: the columns drawn, by falling distance; ``remaining`` are those for the table alone.
        ranks, calibration, forest, risks, decision: panels by classifier.
    """

    training: list[Panel]
    map: list[Panel]
    marginals: list[tuple[NumericMarginal | LevelsMarginal, Panel]]
    remaining: list[NumericMarginal | LevelsMarginal]
    ranks: dict[Classifier, list[Panel]]
    calibration: dict[Classifier, CalibrationPanels]
    forest: dict[Classifier, list[Panel]]
    risks: dict[Classifier, list[Panel]]
    decision: dict[Classifier, Panel]


def draw_panels(report: Report) -> Panels:
    """Draw all figures of the report; a section without data has none."""
    found = report.synthetic.marginals if report.synthetic else ()
    ranked = sorted(found, key=lambda marginal: -(marginal.distance if marginal.distance is not None else -1.0))
    drawn = [(data, _marginal(data, f"marginal-{place}")) for place, data in enumerate(ranked[:MOST_MARGINALS], 1)]
    return Panels(
        training=_training(report.training) if report.training else [],
        map=_map(report.synthetic.map) if report.synthetic and report.synthetic.map else [],
        marginals=drawn,
        remaining=ranked[MOST_MARGINALS:],
        ranks=_ranks(report.evaluation) if report.evaluation else {},
        calibration=_calibration(report.evaluation) if report.evaluation else {},
        forest=_forest(report.evaluation) if report.evaluation else {},
        risks=_risks(report.evaluation, report.recommendation.arm if report.recommendation else "none")
        if report.evaluation
        else {},
        decision=_decision(report.evaluation.decision_curves) if report.evaluation else {},
    )


def classifiers_of(evaluation: EvaluationSummary) -> list[Classifier]:
    """Return the classifiers that any arm has, in their order of first appearance."""
    return list(dict.fromkeys(classifier for by_classifier in evaluation.arms.values() for classifier in by_classifier))


def _map(found: DensityMap) -> list[Panel]:
    title, caption = "Majority, real cases and synthetic cases by two principal components", "By two principal components"
    rows = rows_of({"width": found.width, "height": found.height, "cells": found.cells})
    return [Panel("map", f"{caption} of the majority", density_map(found, key="map", title=title), rows)]


def _marginal(data: NumericMarginal | LevelsMarginal, key: str) -> Panel:
    return Panel(key, data.label, marginal(data, key=key), rows_of(data))


def _training(training: TrainingSummary) -> list[Panel]:
    tuned = training.finetune
    before = learning_curve(training.pretrain, key="pretrain", title="Pre-training: ELBO by epoch")
    after = learning_curve(tuned, key="finetune", title="Fine-tuning: ELBO by epoch")
    path = lambda_path(tuned.lambda_path, tuned.ewc_lambda, key="lambda")
    drawn = (
        ("pretrain", "Pre-training on the majority", before, {"history": training.pretrain.history}),
        ("finetune", "Fine-tuning on the rare cases", after, {"history": tuned.history}),
        ("lambda", "Choice of λ", path, {"trials": tuned.lambda_path}),
    )
    return [Panel(name, caption, svg, rows_of(data)) for name, caption, svg, data in drawn if svg is not None]


def _ranks(evaluation: EvaluationSummary) -> dict[Classifier, list[Panel]]:
    parts = {"cross-validation": evaluation.rank_curves, "hold-out": evaluation.holdout_rank_curves}
    top = highest(*parts.values())
    panels: dict[Classifier, list[Panel]] = {}
    for part, found in ((name, one) for name, one in parts.items() if one is not None):
        for classifier in classifiers_of(evaluation):
            curves = {arm: by[classifier] for arm, by in found.arms.items() if classifier in by}
            if curves:
                key, of = f"{classifier}-{part}", f"{CLASSIFIERS[classifier].lower()}, {part}"
                roc = receiver(found, curves, key=f"roc-{key}", title=f"ROC curves, {of}")
                pr = precision_recall(found, curves, top=top, key=f"pr-{key}", title=f"Precision-recall curves, {of}")
                by_false_positive = _rank_rows(found, curves, "false_positive", "sensitivity")
                by_recall = _rank_rows(found, curves, "recall", "precision")
                panels.setdefault(classifier, []).extend(
                    (
                        Panel(f"roc-{key}", f"ROC, {part}", roc, by_false_positive),
                        Panel(f"pr-{key}", f"Precision and recall, {part}", pr, by_recall),
                    )
                )
    return panels


def _rank_rows(found: RankCurves, curves: Mapping[Arm, RankCurve], across: str, up: str) -> list[Row]:
    return [
        row
        for arm, curve in curves.items()
        for row in rows_of({across: getattr(found, across), up: getattr(curve, up)}, arm=arm)
    ]


def _calibration(evaluation: EvaluationSummary) -> dict[Classifier, CalibrationPanels]:
    floor = floor_of(
        c for by_class in evaluation.curves.values() for by_variant in by_class.values() for c in by_variant.values()
    )
    drawn: dict[Classifier, CalibrationPanels] = {}
    for classifier in classifiers_of(evaluation):
        curves = {variant: _curves(evaluation, classifier, variant) for variant in CALIBRATION_VARIANTS}
        arms = [arm for arm in evaluation.curves if any(arm in by_arm for by_arm in curves.values())]
        if arms:
            panels = [_calibration_panel(by_arm, classifier, variant, floor) for variant, by_arm in curves.items() if by_arm]
            drawn[classifier] = CalibrationPanels(panels, arms)
    return drawn


def _curves(evaluation: EvaluationSummary, classifier: Classifier, variant: Variant) -> dict[Arm, Curve]:
    found = {arm: by_classifier.get(classifier, {}).get(variant) for arm, by_classifier in evaluation.curves.items()}
    return {arm: curve for arm, curve in found.items() if curve is not None and curve.predicted}


def _calibration_panel(curves: Mapping[Arm, Curve], classifier: Classifier, variant: Variant, floor: float) -> Panel:
    title = f"Calibration, {CLASSIFIERS[classifier].lower()}, {VARIANTS[variant]} probabilities"
    key = f"calibration-{classifier}-{variant}"
    svg = calibration(curves, floor=floor, key=key, title=title)
    return Panel(key, f"{VARIANTS[variant].capitalize()} probabilities", svg, rows_by("arm", curves))


def _forest(evaluation: EvaluationSummary) -> dict[Classifier, list[Panel]]:
    panels: dict[Classifier, list[Panel]] = {}
    for metric in FOREST_METRICS:
        rows = {classifier: _rows(evaluation, classifier, metric) for classifier in classifiers_of(evaluation)}
        span = common_span([estimate for by_arm in rows.values() for estimate in by_arm.values()])
        for classifier, by_arm in rows.items():
            if by_arm:
                title = f"{METRICS[metric].label}, {CLASSIFIERS[classifier].lower()}: difference from no correction"
                key, reference = f"forest-{classifier}-{metric}", ARMS["none"].lower()
                svg = forest(by_arm, metric, span=span, key=key, title=title, reference=reference)
                panels.setdefault(classifier, []).append(Panel(key, METRICS[metric].label, svg, rows_by("arm", by_arm)))
    return panels


def _risks(evaluation: EvaluationSummary, recommended: Arm) -> dict[Classifier, list[Panel]]:
    """Draw no correction and the recommended arm, else MGVAE, cross-validated and on the hold-out."""
    tables = {"cross-validation": recalibrated_risks(evaluation.curves), "hold-out": evaluation.holdout_risks}
    arms: tuple[Arm, ...] = ("none", "mgvae" if recommended == "none" else recommended)
    chosen = [
        (classifier, arm, part, table[arm][classifier])
        for classifier in classifiers_of(evaluation)
        for arm in arms
        for part, table in tables.items()
        if classifier in table.get(arm, {})
    ]
    floor = lowest(found for *_, found in chosen)
    panels: dict[Classifier, list[Panel]] = {}
    for classifier, arm, part, found in chosen:
        key, caption = f"risks-{classifier}-{arm}-{part}", f"{ARMS[arm]}, {part}"
        title = f"Predicted risks by outcome, {CLASSIFIERS[classifier].lower()}, {caption}"
        drawn = distributions(found, floor=floor, key=key, title=title)
        panels.setdefault(classifier, []).append(Panel(key, caption, drawn, rows_of(found, arm=arm)))
    return panels


def _decision(found: DecisionCurves | None) -> dict[Classifier, Panel]:
    if found is None:
        return {}
    top, panels = top_of(found), {}
    for classifier in dict.fromkeys(name for by_classifier in found.arms.values() for name in by_classifier):
        curves = {arm: by_classifier[classifier] for arm, by_classifier in found.arms.items() if classifier in by_classifier}
        title, key = f"Decision curves, {CLASSIFIERS[classifier].lower()}", f"decision-{classifier}"
        drawn = decision(found, curves, top=top, key=key, title=title)
        panels[classifier] = Panel(key, "Recalibrated probabilities, cross-validation", drawn, decision_rows(found, curves))
    return panels


def decision_rows(found: DecisionCurves, curves: Mapping[Arm, DecisionCurve]) -> list[Row]:
    """Return the numbers of decision curves as the lines of a table."""
    shared = {"thresholds": found.thresholds, "treat_all": found.treat_all}
    return [row for arm, curve in curves.items() for row in rows_of(shared | dict(curve), arm=arm)]


def _rows(evaluation: EvaluationSummary, classifier: Classifier, metric: Metric) -> dict[Arm, Estimate]:
    found = {arm: by.get(classifier, {}).get(metric) for arm, by in evaluation.differences.items() if arm != "none"}
    return {arm: estimate for arm, estimate in found.items() if estimate is not None and estimate.value is not None}
