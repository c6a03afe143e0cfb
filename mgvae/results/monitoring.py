"""What monitoring says of a served model, by cohort of entry, and of the extracts of the nights."""

from __future__ import annotations

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Estimate, Number, Share


class EntryCohort(Strict):
    """Patients who were predicted in the same month.

    Attributes:
        month: of the prediction, as 2026-01.
        predicted, matured, events: patients; those whose horizon has passed and whose outcome is known; with the event.
        alerts: share of the predicted with an alert.
        mean_risk: predicted share of events among the matured.
        auroc, observed_expected, slope: of the matured, with 99 % intervals; without values where events are few.
        signals: what lies outside its control limits.
    """

    month: str
    predicted: Count
    matured: Count
    events: Count
    alerts: Share
    mean_risk: Number | None
    auroc: Estimate
    observed_expected: Estimate
    slope: Estimate
    signals: tuple[str, ...]


MOST = 10  # columns that are named


class MovedColumn(Strict):
    """A column whose distribution changed.

    Attributes:
        column: its name.
        psi: stability index, less its value by chance.
        low: lower limit of it; None where it was not computed.
    """

    column: str
    psi: Number
    low: Number | None = None


class ExtractNight(Strict):
    """An extract of a night.

    Attributes:
        run_id, created_at: its run.
        rows: of the extract.
        status: of the run.
        missing, psi: largest change in the share of missing cells, and largest stability index, of a column.
        missing_column, psi_column: which.
        moved: the columns with the largest stability indices above 0, ten at most, the largest first.
        signals: gates on drift that did not pass.
    """

    run_id: str
    created_at: str
    rows: Count
    status: str
    missing: Number | None
    missing_column: str | None
    psi: Number | None
    psi_column: str | None
    moved: tuple[MovedColumn, ...] = ()
    signals: tuple[str, ...]


class ScoredNight(Strict):
    """Patients who were scored, of whom no outcome is known yet, against the run of their model.

    Attributes:
        scored_at, model_version: when, and by what.
        patients: scored.
        alerts: share of them with an alert.
        mean_risk: of them; None where nobody could be predicted.
        psi: stability index of the risks against those of the run's hold-out, less its value by chance; None if unknown.
        missing: largest change in the share of missing cells of a predictor against the run's extract.
        missing_column: which.
        moved: the predictors that moved most against the model's training patients, ten at most, the largest first.
        signals: what changed beyond `mgvae.config.drift.Drift.psi_warn` or ``missing_warn``, chance allowed for; ten columns of
            a kind at most are named.
    """

    scored_at: str
    model_version: str
    patients: Count
    alerts: Share
    mean_risk: Number | None
    psi: Number | None
    missing: Number | None
    missing_column: str | None
    moved: tuple[MovedColumn, ...] = ()
    signals: tuple[str, ...]


class Monitoring(Strict):
    """What `mgvae monitor` finds.

    Attributes:
        as_of: the latest day of which outcomes can be known; a horizon that ends later has not passed.
        horizon_days: after the prediction.
        waiting: predicted patients whose outcome is not known yet.
        expected_auroc: AUROC of the champion on its own hold-out, the centre line; None where there is no champion.
        censored: whether follow-up may end before the horizon; such patients are left out here, without weights.
    """

    study: str
    as_of: str
    horizon_days: int | None
    waiting: Count
    expected_auroc: Number | None
    cohorts: tuple[EntryCohort, ...]
    nights: tuple[ExtractNight, ...]
    scored: tuple[ScoredNight, ...] = ()
    censored: bool = False
