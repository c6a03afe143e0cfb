"""Validate the model of a run on other patients with known outcomes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.cohort.build import MIN_EVENTS, Cohort, build_cohort
from mgvae.cohort.files import load_cohort
from mgvae.cohort.subgroups import cut_points, subgroups_of
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.errors import OutcomeError, StoreError
from mgvae.evaluation.external import Outcomes, column_differences, judge, spread
from mgvae.evaluation.measures.censoring import censoring, weighted
from mgvae.evaluation.subgroups import FEWEST_EVENTS
from mgvae.extract.read import open_extract
from mgvae.prediction.predictor import Predictor
from mgvae.report.formatting import on_censoring
from mgvae.report.schema import read_report
from mgvae.reproducibility import derive
from mgvae.results.cohort import ValidationResult
from mgvae.results.evaluation import Scores
from mgvae.results.external import CaseMix, ExternalValidation
from mgvae.results.numbers import Estimate, number
from mgvae.results.scoring import ScoringCounts
from mgvae.store.artifact import Reference
from mgvae.store.open import open_store
from mgvae.threads import one_thread
from validation.patients import PatientChecks
from validation.twosample import two_sample_auc


class NewPatients:
    """Patients with known outcomes, scored by a model.

    Attributes:
        config: the study's settings for their extract.
        cohort: those with a known outcome.
        risk: of each, ``(n,)``.
        counts: alerts and flags among them.
        sha256: digest of their extract.
        remarks: what a person must know of the files.
        refused: what makes them unusable, if it does not pass.
    """

    def __init__(self, predictor: Predictor, extract: str) -> None:
        config = predictor.config.model_copy(update={"extract": extract})
        opened = open_extract(config)
        if config.group is not None and config.group not in opened.found:
            config = config.model_copy(update={"group": None})
        self.config, self.sha256, self.remarks = config, opened.sha256, opened.remarks
        checks = PatientChecks(config, frozenset(opened.found))
        self.refused: ValidationResult = checks.result()
        if checks.absent:
            return
        values, marks = zip(*opened.batches(), strict=True)
        frame, unreadable = pd.concat(values, ignore_index=True), pd.concat(marks, ignore_index=True)
        checks.add(frame, unreadable)
        self.refused = checks.refused()
        if not self.refused.passed:
            return
        _require_outcomes(config, frame)
        cohort = build_cohort(config, _known_levels(config, frame))
        self.cohort = weighted(cohort, np.zeros(len(cohort), dtype=bool))
        kept = _kept(config, frame)
        scored = predictor.score(frame[kept].reset_index(drop=True), unreadable[kept].reset_index(drop=True))
        self.risk = scored.table["risk"].to_numpy(np.float64)
        self.counts = ScoringCounts(
            rows=len(scored.table),
            alerts=int(scored.table["alert"].sum()),
            flagged=int((scored.table["flags"] != "").sum()),
            flags={
                kind: int(np.any([flag.rows for flag in scored.flags if flag.kind == kind], axis=0).sum())
                for kind in sorted({flag.kind for flag in scored.flags})
            },
            mean_risk=float(self.risk.mean()),
        )


def _require_outcomes(config: CohortConfig, frame: pd.DataFrame) -> None:
    """Raise unless a model can be measured on these patients.

    Raises:
        OutcomeError: too few of them have a known outcome, with or without the event.
    """
    outcome = frame.loc[_kept(config, frame), config.outcome.column]
    events = int((outcome.map(canonical) == canonical(config.outcome.event)).sum())
    if min(events, len(outcome) - events) < MIN_EVENTS:
        raise OutcomeError(
            f"To validate a model, the outcome '{config.outcome.column}' must be known of at least {MIN_EVENTS} patients with "
            f"the event and {MIN_EVENTS} without; of {len(frame):,} rows it is known of {len(outcome):,}, {events:,} with the "
            "event. Wait until more outcomes are known, add patients, or use mgvae predict, which needs no outcome."
        )


def _known_levels(config: CohortConfig, frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table in which a level that the dictionary lacks is missing."""
    used = {name: column for name, column in config.columns.with_role("feature", "subgroup") if column.kind in LEVEL_KINDS}
    cells = {name: {canonical(level) for level in column.levels} for name, column in used.items() if name in frame}
    return frame.assign(**{name: frame[name].where(frame[name].isin(levels)) for name, levels in cells.items()})


def _kept(config: CohortConfig, frame: pd.DataFrame) -> pd.Series:
    """Return which rows `build_cohort` keeps."""
    known = frame[config.outcome.column].notna()
    return known if config.index_date is None else known & frame[config.index_date].notna()


def validate_externally(predictor: Predictor, patients: NewPatients) -> ExternalValidation:
    """Return how a model does on new patients; nothing of it changes.

    Args:
        predictor: the model.
        patients: not refused.
    Raises:
        OutcomeError: no resample has both outcomes.
    """
    config, cohort, model = patients.config, patients.cohort, predictor.model
    study, missing = study_cohort(predictor)
    cuts = cut_points(cohort if study is None else study, config)
    known = None if study is None or config.subject_id is None else int(np.isin(cohort.subject, study.subject).sum())
    name = (model.arm, model.classifier)
    with one_thread():
        judged = judge(
            Outcomes(cohort.event.astype(np.int64), cohort.group, patients.risk, cohort.follow_up),
            name,  # type: ignore[arg-type]
            subgroups_of(cohort, config, cuts),
            config.evaluation,
            threshold=predictor.file.threshold,
            seed=derive(config.seed, "bootstrap", "external"),
        )
        case_mix = None if study is None else _case_mix(predictor, study, cohort)
    return ExternalValidation(
        study=predictor.file.study,
        title=config.title,
        run_id=predictor.file.run_id,
        model_version=predictor.version,
        arm=name[0],  # type: ignore[arg-type]
        classifier=name[1],
        outcome=config.outcome.label or config.outcome.column,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        extract_sha256=patients.sha256,
        n=len(cohort),
        events=cohort.events,
        prevalence=cohort.prevalence,
        study_n=predictor.file.patients,
        study_events=predictor.file.events,
        known=known,
        threshold=predictor.file.threshold,
        scores=judged.scores,
        development=_development(predictor),
        recalibration=judged.recalibration,
        curve=judged.curve,
        decisions=judged.decisions,
        case_mix=case_mix,
        subgroups=judged.subgroups,
        fewest_events=FEWEST_EVENTS,
        counts=patients.counts,
        bootstrap=config.evaluation.bootstrap,
        remarks=(*patients.remarks, *_remarks(cohort, known, missing)),
    )


def _remarks(cohort: Cohort, known: int | None, missing: str) -> list[str]:
    remarks = [missing] if missing else []
    if known:
        remarks.append(
            f"{known:,} of {len(cohort):,} patients have the name of a patient of the study. If they are the same people, the "
            "model learned from them, and these numbers flatter it: this is no external validation."
        )
    weights = censoring(cohort)
    if weights is not None:
        remarks.append(on_censoring(weights))
    return remarks


def study_cohort(predictor: Predictor) -> tuple[Cohort | None, str]:
    """Return the run's patients; None and why where its artifact store does not hold them."""
    if predictor.run is None or not predictor.run.is_dir():
        return None, "The case mix is not compared: the model was read without its run folder."
    try:
        store = open_store(predictor.run.resolve().parent.parent, None)
        return load_cohort(store.folder(Reference("split", predictor.file.split_sha256)))[0], ""
    except StoreError as error:
        return None, f"The case mix is not compared: the study's patients are not at hand. {error}"


def _case_mix(predictor: Predictor, study: Cohort, cohort: Cohort) -> CaseMix:
    found = two_sample_auc(study.features, cohort.features, seed=derive(predictor.config.seed, "membership"))
    return CaseMix(
        membership=None
        if found is None
        else Estimate(value=number(found.value), low=number(found.low), high=number(found.high)),
        spread_study=spread(predictor.model.predict(study.features)),
        spread_here=spread(predictor.model.predict(cohort.features)),
        columns=column_differences(study.features, cohort.features, predictor.config.columns.features),
    )


def _development(predictor: Predictor) -> Scores:
    """Return the run's own cross-validated measures; empty where its report is not at hand."""
    path = predictor.run / "report.json" if predictor.run is not None else Path()
    if not path.is_file():
        return {}
    import json

    evaluation = read_report(json.loads(path.read_text(encoding="utf-8"))).evaluation
    model = predictor.model
    arms = {} if evaluation is None else {str(arm): by for arm, by in evaluation.arms.items()}
    return arms.get(model.arm, {}).get(model.classifier, {}).get("recalibrated", {})
