"""What a scoring of patients leaves behind: counts, and the predictions that are kept.

Kept predictions lie in ``<runs>/<study>/scored/``, two files to a scoring, with equal stems: ``<stem>.parquet`` with a row for
each patient (`KEPT_COLUMNS`), and ``<stem>.json``, a `ScoringRecord` without any patient's value. The record is written last:
a table without one is not complete.
"""

from __future__ import annotations

from pydantic import Field

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Share

SCORED = "scored"  # the folder beside a study's runs

KEPT_COLUMNS = {
    "subject_id": "string",  # the row's number, from 1, where the study has no subject_id
    "group": "string",  # null where the study has none, or the patient belongs to none
    "prediction_time": "timestamp[us]",  # the patient's index date; else when the scoring was made, in UTC
    "risk": "double",  # null for a patient who could not be predicted
    "alert": "bool",
    "model_version": "string",
}


class BinCounts(Strict):
    """A predictor counted by the bins of `mgvae.prediction.bins`.

    Attributes:
        training, scored: training patients of the model, and scored patients, by bin.
    """

    training: tuple[Count, ...]
    scored: tuple[Count, ...]


class ScoringCounts(Strict):
    """Counts of scored patients; no patient's value.

    Attributes:
        rows: patients.
        alerts: patients whose risk is at least the threshold.
        flagged: patients with any flag.
        flags: by kind (``range``, ``level``, ``unreadable``, ``rule``, ``index_date``, ``far``) the patients who have it.
        columns: by predictor, patients with a flag that names it.
        missing: by predictor, the share of patients without a value.
        bins: by predictor, patients counted as the training patients are; empty where the model's file has no counts of them.
        mean_risk: the mean predicted risk, which is the expected share of events; None without patients.
    """

    rows: Count
    alerts: Count
    flagged: Count
    flags: dict[str, Count] = Field(default_factory=dict)
    columns: dict[str, Count] = Field(default_factory=dict)
    missing: dict[str, Share] = Field(default_factory=dict)
    bins: dict[str, BinCounts] = Field(default_factory=dict)
    mean_risk: Number | None = None


class ScoringRecord(Strict):
    """A scoring of patients with the model of a run.

    Attributes:
        study, run_id: whose model it is.
        model_version: the run's name; with ``+1`` and so on where it was updated since.
        scored_at: when, ISO text in UTC.
        extract_sha256: digest of the patients' extract.
        threshold: risk from which a patient is an alert.
        horizon_days: days after the prediction time in which the outcome counts; None where the study does not say.
        predictions_sha256: digest of the table of kept predictions; None where they were not kept.
        counts: what may be logged.
    """

    study: str
    run_id: str
    model_version: str
    scored_at: str
    extract_sha256: str
    threshold: Number
    horizon_days: int | None
    predictions_sha256: str | None = None
    counts: ScoringCounts
