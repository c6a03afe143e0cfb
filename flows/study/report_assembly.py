"""The assembly of a run's report from the artifacts of its stages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from flows.runs.drift_reference import DriftBaseline
from flows.study.findings import explanation_findings, gate_findings, gathered, sample_size_findings, verdict_of
from flows.study.lineage import FinishedStage, lineage, run_id
from flows.study.stages.stage import (
    DRIFT,
    EVALUATION,
    EXPLANATIONS,
    FRAME,
    HISTORY,
    INSTABILITY,
    LEARNING_CURVE,
    SUBGROUPS,
    SYNTHETIC,
    VALIDATION,
    read_result,
)
from mgvae.arrays import Array
from mgvae.cohort.build import Cohort
from mgvae.cohort.column_reader import read_by_column
from mgvae.cohort.files import load_cohort
from mgvae.cohort.participants import describe
from mgvae.cohort.split import is_temporal
from mgvae.config.study import CohortConfig
from mgvae.evaluation.findings import evaluation_findings
from mgvae.evaluation.majority import learned_from
from mgvae.evaluation.measures.censoring import censoring
from mgvae.evaluation.prediction_files import load_predictions
from mgvae.evaluation.rank_curves import rank_curves
from mgvae.report.schema import SCHEMA_VERSION, Report
from mgvae.results.cohort import CohortSummary, ColumnSummary, ExtractRecord, FlowStep
from mgvae.results.drift import DriftRecord, DriftReference, DriftResult, DriftSummary, ExtractProfile
from mgvae.results.evaluation import EvaluationResult, EvaluationSummary
from mgvae.results.explanations import Explanations
from mgvae.results.findings import RunVerdict
from mgvae.results.gates import worst
from mgvae.results.instability import InstabilityResult
from mgvae.results.learning_curve import LearningCurveResult
from mgvae.results.privacy import privacy_record
from mgvae.results.rank_curves import RankCurves
from mgvae.results.recommendation import RECOMMENDATION, Recommendation
from mgvae.results.risk_tables import recalibrated_risks
from mgvae.results.subgroups import Subgroups
from mgvae.results.synthetic import SyntheticSummary
from mgvae.results.training import Finetuning, PretrainRecord, TrainingSummary
from mgvae.store.artifact import CLOCK
from validation.extract_findings import extract_findings
from validation.slow_drift import slow_gates

NOTHING = DriftBaseline()
LATEST = "the patients with the latest index dates: they came after all on whom the models were trained"
ANY_TIME = "drawn at random, stratified by the outcome: it says nothing of patients of a later time"


@dataclass(frozen=True)
class Sources:
    """The sources of a report.

    Attributes:
        config: the study.
        extract_sha256: digest of its extract.
        folders: the stages' artifacts.
        passed: the stages that ended, in order.
        reference: the accepted run that the extract was compared with, or the reason for none.
        history: the accepted extracts, the oldest first.
    """

    config: CohortConfig
    extract_sha256: str
    folders: Mapping[str, Path]
    passed: Sequence[FinishedStage]
    reference: DriftBaseline = NOTHING
    history: tuple[ExtractProfile, ...] = ()


def refused_report(sources: Sources) -> Report:
    """Return the report of an extract that failed validation."""
    record = read_result(sources.folders["validate"] / VALIDATION, ExtractRecord)
    broken = f"The extract breaks {len(record.failed)} of {record.expectations} expectations; nothing was trained on it."
    return Report(
        **_head(sources, record),
        status="invalid",
        verdict=RunVerdict(status="invalid", sentence=f"The extract is refused. {broken}"),
        warnings=(broken, *record.remarks),
        cohort=_uncounted(sources.config, record),
        training=None,
        synthetic=None,
        evaluation=None,
        recommendation=None,
    )


def complete_report(sources: Sources) -> Report:
    """Return the report of a run whose stages all ended."""
    folders, config = sources.folders, sources.config
    record = read_result(folders["validate"] / VALIDATION, ExtractRecord)
    cohort, test = load_cohort(folders["split"])
    synthetic = read_result(folders["assess"] / SYNTHETIC, SyntheticSummary)
    evaluation = read_result(folders["evaluate"] / EVALUATION, EvaluationResult)
    drift = _drift(sources)
    training, privacy = _training(folders), privacy_record(folders["finetune"])
    of_privacy = privacy.remarks if privacy else ()
    remarks = _remarks_on_groups(training, synthetic, evaluation)
    chosen = read_result(folders["model"] / RECOMMENDATION, Recommendation)
    shown = evaluation_summary(evaluation, config, temporal=is_temporal(cohort, test))
    status = worst(gate.verdict for gate in (*synthetic.gates, *(drift.gates if drift else ())))
    explanations = read_result(folders["explain"] / EXPLANATIONS, Explanations)
    curve = read_result(folders["learning_curve"] / LEARNING_CURVE, LearningCurveResult)
    of_models = (
        *evaluation_findings(evaluation, chosen),
        *sample_size_findings(curve.sample_size),
        *explanation_findings(explanations, chosen),
        *extract_findings(config, read_by_column(folders["validate"] / FRAME), cohort),
    )
    findings = gathered((*of_models, *gate_findings(synthetic.gates, drift)), config.findings.mute)
    return Report(
        **_head(sources, record),
        status=status,
        verdict=verdict_of(status, findings),
        findings=findings,
        warnings=(*record.remarks, *_warnings(cohort, drift, sources.reference), *remarks, *of_privacy),
        cohort=_counted(config, record, cohort, test, divided=bool(remarks)),
        drift=drift,
        training=training,
        privacy=privacy,
        synthetic=synthetic,
        evaluation=shown.model_copy(update=_rank_curves(folders["evaluate"])),
        recommendation=chosen,
        explanations=explanations,
        instability=read_result(folders["instability"] / INSTABILITY, InstabilityResult),
        learning_curve=curve,
        subgroups=read_result(folders["subgroups"] / SUBGROUPS, Subgroups),
    )


def _rank_curves(folder: Path) -> dict[str, RankCurves | None]:
    """Return the curves of ranks of an evaluation's predictions."""
    parts = zip(("rank_curves", "holdout_rank_curves"), load_predictions(folder), strict=True)
    return {name: None if part is None else rank_curves(part) for name, part in parts}


def _head(sources: Sources, record: ExtractRecord) -> dict[str, Any]:
    """Return what reports have in common: names, validation and lineage."""
    config, digest = sources.config, sources.extract_sha256
    return {
        "schema_version": SCHEMA_VERSION,
        "study": config.study,
        "title": config.title,
        "card": config.card,
        "run_id": run_id(config, digest, sources.reference.run),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "validation": record.validation,
        "lineage": lineage(config, digest, sources.passed),
    }


def _uncounted(config: CohortConfig, record: ExtractRecord) -> CohortSummary:
    """Return the cohort of a refused extract, without counts."""
    columns = tuple(
        ColumnSummary(
            name=str(name),
            label=column.label or str(name),
            kind=column.kind,
            unit=column.unit,
            missing=record.missing.get(str(name)),
        )
        for name, column in config.columns.features.items()
    )
    return CohortSummary(
        **dict.fromkeys(("n", "events", "prevalence", "n_train", "n_test", "events_train", "events_test", "groups")),
        groups_divided=False,
        outcome=config.outcome.label or config.outcome.column,
        horizon_days=config.horizon_days,
        lookback_days=config.lookback_days,
        flow=(*attrition_of(config), FlowStep(label="Rows of the extract", n=record.rows, events=None)),
        columns=columns,
    )


def attrition_of(config: CohortConfig) -> tuple[FlowStep, ...]:
    """Return the steps from event tables to the extract."""
    return tuple(
        FlowStep(
            label=one.label,
            n=one.rows,
            events=one.events,
            note=one.note,
            patients=None if one.subjects == one.rows else one.subjects,
        )
        for one in config.attrition
    )


def _counted(config: CohortConfig, record: ExtractRecord, cohort: Cohort, test: Array, *, divided: bool) -> CohortSummary:
    events_test = int(cohort.event[test].sum())  # a part of the cohort would be a copy of the table
    counts = {
        "n": len(cohort),
        "events": cohort.events,
        "prevalence": cohort.prevalence,
        "censoring": censoring(cohort),
        "n_train": int((~test).sum()),
        "n_test": int(test.sum()),
        "events_train": cohort.events - events_test,
        "events_test": events_test,
        "groups": None if config.group is None else int((np.unique(cohort.group, return_counts=True)[1] > 1).sum()),
        "groups_divided": divided,
        "flow": (*attrition_of(config), *cohort.flow),
    }
    summary = _uncounted(config, record)
    labels, units = ({column.name: getattr(column, key) for column in summary.columns} for key in ("label", "unit"))
    return CohortSummary(**dict(summary) | counts | {"participants": describe(cohort, test, labels, units)})


def _training(folders: Mapping[str, Path]) -> TrainingSummary:
    pretrained = read_result(folders["pretrain"] / HISTORY, PretrainRecord)
    tuned = read_result(folders["finetune"] / HISTORY, Finetuning)
    return TrainingSummary(
        device=pretrained.device,
        parameters=pretrained.parameters,
        pretrain=pretrained.pretrain.model_copy(update={"seconds": _seconds(folders["pretrain"])}),
        finetune=tuned.model_copy(update={"seconds": _seconds(folders["finetune"])}),
    )


def _seconds(folder: Path) -> float | None:
    """Return the seconds of a training; None where the clock file is unreadable."""
    try:
        return float(json.loads((folder / CLOCK).read_text(encoding="utf-8"))["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _warnings(cohort: Cohort, drift: DriftSummary | None, reference: DriftBaseline) -> list[str]:
    """Return what a reader must know that is no finding."""
    skipped = reference.skipped_because if drift is None else None
    return [text for text in (skipped, cohort.warning) if text]


def _remarks_on_groups(training: TrainingSummary, synthetic: SyntheticSummary, evaluation: EvaluationResult) -> tuple[str, ...]:
    """Return where groups could not be kept whole, each remark once."""
    parts = (training.pretrain, training.finetune, synthetic, evaluation, evaluation.holdout)
    return tuple(dict.fromkeys(remark for part in parts if part is not None for remark in part.remarks))


def _drift(sources: Sources) -> DriftSummary | None:
    reference = sources.reference.run
    if reference is None:
        return None
    record = read_result(sources.folders["drift"] / DRIFT, DriftRecord)
    measured = {name: getattr(record, name) for name in DriftResult.model_fields}
    if record.profile is not None:
        measured["gates"] = (*record.gates, *slow_gates(sources.history, record.profile, sources.config))
    return DriftSummary(**measured, reference=DriftReference(**reference.to_json()))


def evaluation_summary(evaluation: EvaluationResult, config: CohortConfig, *, temporal: bool = False) -> EvaluationSummary:
    """Return the evaluation as the report shows it; ``temporal``: its hold-out is."""
    alike = ("arms", "differences", "curves", "decision_curves", "folds", "repeats", "unavailable")
    return EvaluationSummary(
        **{name: getattr(evaluation, name) for name in alike},
        holdout=evaluation.holdout.arms if evaluation.holdout else {},
        holdout_risks=recalibrated_risks(evaluation.holdout.curves) if evaluation.holdout else {},
        bootstrap=evaluation.bootstrap.n,
        thresholds=_remarks(evaluation, config, LATEST if temporal else ANY_TIME),
    )


def _remarks(evaluation: EvaluationResult, config: CohortConfig, holdout: str) -> dict[str, str | float | None]:
    settings = config.evaluation
    remarks: dict[str, str | float | None] = {
        "Threshold, raw": "0.5; arm 'threshold': the prevalence of the fitting rows",
        "Threshold, offset and recalibrated": "the prevalence of the fitting rows",
        "Hold-out": holdout,
        "Recalibration": "intercept and slope learned from out-of-fold predictions inside each training fold",
        "Gain in AUROC that would matter": settings.relevant_gain,
        "Arms and classifiers compared with no correction": evaluation.contrasts.candidates,
        "Intervals": "95 %, from a bootstrap of whole groups, the fitted models given; none where events are too few",
        "Ranking measures": "on raw probabilities, so alike for all variants; within folds, but for AUPRC",
    }
    if evaluation.decision_curves:
        low, *_, high = evaluation.decision_curves.thresholds
        remarks["Decision thresholds of the net benefit"] = f"{low:.2%} to {high:.2%}, evenly spaced in their logarithm"
    remarks |= learned_from(settings.majority_rows, evaluation.n - evaluation.events)
    if evaluation.bootstrap.redrawn:
        remarks["Resamples without both classes, drawn again"] = evaluation.bootstrap.redrawn
    return remarks
