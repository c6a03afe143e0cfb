"""Build the cohort: eligible subjects, outcome, groups and predictors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import Array, BoolArray, FloatArray
from mgvae.cohort.follow_up import FollowUp
from mgvae.config.dictionary import LEVEL_KINDS, Column, canonical
from mgvae.config.study import CohortConfig
from mgvae.errors import DataError, OutcomeError, nearest
from mgvae.results.cohort import FlowStep
from mgvae.results.findings import Finding, found
from mgvae.results.numbers import FEW_EVENTS

MIN_EVENTS = 5  # of either class: below, no fold, calibration part and early stopping could each hold one
SECONDS_A_DAY = 86_400


@dataclass(frozen=True, eq=False)
class Cohort:
    """Eligible subjects, one per row.

    Attributes:
        features: predictors in dictionary order. Numeric kinds float64; level kinds category (ordered for ordinal) with the
            dictionary's levels; dates float64 days from the index date; missing NaN.
        event: bool ``(n,)``, true where the event happened.
        subject: text ``(n,)``, distinct.
        group: int64 ``(n,)``, equal for subjects who belong together; a subject without a group has a number of its own.
        group_name: object ``(n,)``, the group as the extract names it, text, or None for a subject without a group. Subject and
            group are called the same in every extract, which their positions and numbers are not.
        subgroups: the columns of levels and numbers by which performance is reported, as in ``features``.
        index_date: datetime64, where the study has one.
        flow: how many subjects were left after each step.
        follow_up: how long they, and those with an unknown outcome, were followed; None where the study does not say, and of
            a part that was taken.
        weight: how many patients each stands for, those with an unknown outcome included, ``(n,)``; None: one each.
    """

    features: pd.DataFrame
    event: Array
    subject: Array
    group: Array
    group_name: Array
    subgroups: pd.DataFrame
    index_date: pd.Series | None
    flow: tuple[FlowStep, ...]
    follow_up: FollowUp | None = None
    weight: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.event)

    @property
    def events(self) -> int:
        """Subjects with the event."""
        return int(self.event.sum())

    @property
    def weights(self) -> FloatArray:
        """The weight of each, ``(n,)``."""
        return np.ones(len(self)) if self.weight is None else self.weight

    @property
    def prevalence(self) -> float:
        """Share of subjects with the event, weighted."""
        return float(np.average(self.event, weights=self.weight))

    @property
    def warning(self) -> str | None:
        """What a reader must know where events are few; None where they are not."""
        if self.events >= FEW_EVENTS:
            return None
        return (
            f"Only {self.events} subjects have the event; with fewer than {FEW_EVENTS}, every interval is wide and no "
            f"comparison of arms can be trusted. Take the results as a technical trial, not as evidence."
        )

    def take(self, rows: Array) -> Cohort:
        """Return the subjects at ``rows``, positions or a bool mask; the flow stays."""
        at = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Cohort(
            features=self.features.iloc[at].reset_index(drop=True),
            event=self.event[at],
            subject=self.subject[at],
            group=self.group[at],
            group_name=self.group_name[at],
            subgroups=self.subgroups.iloc[at].reset_index(drop=True),
            index_date=None if self.index_date is None else self.index_date.iloc[at].reset_index(drop=True),
            flow=self.flow,
            weight=None if self.weight is None else self.weight[at],
        )


def few_events(train: int, test: int | None) -> Finding | None:
    """Return a finding where the training or the test part has few events."""
    parts = {"train on": train} | ({} if test is None else {"test on": test})
    few = [f"{events} events to {use}" for use, events in parts.items() if events < FEW_EVENTS]
    return found("MGV203", f"{' and '.join(few)}; at least {FEW_EVENTS} are wanted in each part.") if few else None


def build_cohort(config: CohortConfig, frame: pd.DataFrame) -> Cohort:
    """Return the subjects whose outcome, and index date if used, are known.

    Args:
        config: the study.
        frame: ``Extract.frame``, one row per subject.

    Raises:
        DataError: a column that the study needs is absent, a subject is missing or doubled, or a level is unknown: the extract
            did not pass validation.
        OutcomeError: the outcome has one class only, fewer than five subjects in either, or a value the dictionary lacks.
    """
    _check_columns(config, frame)
    subjects = _subjects(config.subject_id, frame)
    known = frame[config.outcome.column].notna().to_numpy()
    happened = _happened(config, frame[config.outcome.column])
    steps = [FlowStep(label="Subjects in the extract", n=len(frame), events=None), _step("Outcome known", known, happened)]
    indexed = np.ones(len(frame), dtype=bool)
    if config.index_date is not None:
        indexed = frame[config.index_date].notna().to_numpy()
        known = known & indexed
        steps.append(_step("Index date known", known, happened))
    _check_counts(config, happened[known])
    followed = _follow_up(config, frame, known, indexed & ~known)
    if followed is not None:
        note = f"Of {len(followed.lost):,} others the outcome at day {config.horizon_days} is unknown; weights allow for them."
        steps[-1] = steps[-1].model_copy(update={"note": note})
    own = {config.subject_id, config.group, config.index_date, config.outcome.column} - {None}
    rows = frame[[name for name in frame if name in own]][known].reset_index(drop=True)
    index_date = None if config.index_date is None else rows[config.index_date]
    subgroups = {name: column for name, column in config.columns.with_role("subgroup") if column.kind != "date"}
    return Cohort(
        features=typed_columns(frame, config.columns.features, index_date, known),
        event=happened[known],
        subject=subjects[known].to_numpy(object),
        group=_groups(rows, config) if followed is None else followed.group,
        group_name=_group_names(rows, config),
        subgroups=typed_columns(frame, {name: each for name, each in subgroups.items() if name in frame}, index_date, known),
        index_date=index_date,
        flow=tuple(steps),
        follow_up=followed,
    )


def _follow_up(config: CohortConfig, frame: pd.DataFrame, known: Array, others: Array) -> FollowUp | None:
    """Return the follow-up of eligible subjects, and of others with one but without an outcome; None if it is not read."""
    if config.outcome.follow_up is None:
        return None
    days = frame[config.outcome.follow_up].to_numpy(float)
    if (days < 0).any():
        raise DataError(
            f"'{config.outcome.follow_up}' must be days from the index date; {int((days < 0).sum())} are below 0. Correct the "
            "extract, or name them in missing_codes."
        )
    lost = others & np.isfinite(days)
    used = np.flatnonzero(known | lost)
    group = np.zeros(len(frame), dtype=np.int64)
    group[used] = _groups(frame.iloc[used].reset_index(drop=True), config)
    horizon, held = float(config.horizon_days or 0), np.zeros(int(lost.sum()), dtype=bool)
    day = None if config.index_date is None else frame[config.index_date].to_numpy()[lost]
    return FollowUp(np.minimum(days[known], horizon), group[known], days[lost], group[lost], held, day)


def _step(label: str, known: Array, happened: Array) -> FlowStep:
    return FlowStep(label=label, n=int(known.sum()), events=int(happened[known].sum()))


def _happened(config: CohortConfig, outcome: pd.Series) -> Array:
    """Return bool ``(n,)``; false also where the outcome is unknown."""
    name = config.outcome.column
    spelling = {value: canonical(value) for value in outcome.dropna().unique()}
    text = outcome.astype(object).map(spelling)
    column = config.columns.columns.get(name)
    if column is not None and column.levels:
        strange = int((~text.isin([canonical(level) for level in column.levels]) & text.notna()).sum())
        if strange:
            raise OutcomeError(
                f"Outcome '{name}' must be one of its {len(column.levels)} categories in the data dictionary or missing; "
                f"{strange} rows hold something else. Correct the extract, or add the category or the missing code there."
            )
    return (text == canonical(config.outcome.event)).to_numpy(bool)


def _check_counts(config: CohortConfig, event: Array) -> None:
    name, events, others = config.outcome.column, int(event.sum()), int((~event).sum())
    if not events or not others:
        missing = "has" if not events else "lacks"
        raise OutcomeError(
            f"Outcome '{name}' must be known both with and without the event; none of {len(event)} eligible subjects "
            f"{missing} it. Check outcome.column and outcome.event in cohort.yaml."
        )
    if min(events, others) < MIN_EVENTS:
        few = f"{events} have it" if events < MIN_EVENTS else f"{others} do not have it"
        raise OutcomeError(
            f"Outcome '{name}' needs at least {MIN_EVENTS} eligible subjects with the event and as many without; "
            f"of {len(event)}, {few}. Collect more subjects, or widen the outcome."
        )


def _check_columns(config: CohortConfig, frame: pd.DataFrame) -> None:
    own = [config.subject_id, config.outcome.column, config.group, config.index_date]
    absent = [name for name in dict.fromkeys([*own, *config.columns.features]) if name is not None and name not in frame]
    if absent:
        raise DataError(
            f"The extract must have every column that the study uses; absent: {', '.join(absent)}."
            f"{nearest(absent[0], map(str, frame.columns))} Correct the extract or the data dictionary."
        )


def _subjects(name: str | None, frame: pd.DataFrame) -> pd.Series:
    """Return the subjects' names, ``(n,)``; without a column, the rows' numbers."""
    if name is None:
        return pd.Series([str(number) for number in range(1, len(frame) + 1)], index=frame.index, dtype=object)
    _check_subjects(name, frame[name])
    return frame[name]


def _check_subjects(name: str, subjects: pd.Series) -> None:
    missing, doubled = int(subjects.isna().sum()), int(subjects.dropna().duplicated().sum())
    if missing or doubled:
        raise DataError(
            f"'{name}' must name each subject once; it is missing in {missing} rows and repeats an earlier one in {doubled}. "
            f"Give one row per subject; or, where a patient has several rows, set subject_id: null and group: {name}."
        )


def _groups(rows: pd.DataFrame, config: CohortConfig) -> Array:
    if config.group is None:
        return np.arange(len(rows), dtype=np.int64)
    codes, labels = pd.factorize(rows[config.group])
    alone = codes < 0
    return np.where(alone, len(labels) + np.cumsum(alone) - 1, codes).astype(np.int64)


def _group_names(rows: pd.DataFrame, config: CohortConfig) -> Array:
    names = np.full(len(rows), None, dtype=object)
    if config.group is not None:
        known = rows[config.group].notna().to_numpy()
        names[known] = rows[config.group][known].astype(str).to_numpy(object)
    return names


def typed_columns(
    frame: pd.DataFrame, columns: dict[str, Column], index_date: pd.Series | None, chosen: BoolArray | None = None
) -> pd.DataFrame:
    """Return columns of an extract as `Cohort.features` holds them, one copied at a time.

    Args:
        frame: ``Extract.frame``.
        columns: which columns, and what they are.
        index_date: of the rows that are returned, from which dates are counted.
        chosen: which rows, bool ``(n,)``, renumbered from 0; None for all as they are.
    Raises:
        DataError: a level is unknown.
    """
    out: dict[str, Any] = {}
    for name, column in columns.items():
        cells = frame[name] if chosen is None else frame[name][chosen].reset_index(drop=True)
        if column.kind in LEVEL_KINDS:
            out[name] = _levels(name, cells, column)
        elif column.kind == "date" and index_date is not None:
            out[name] = (cells - index_date).dt.total_seconds() / SECONDS_A_DAY
        else:
            out[name] = cells.astype(float)
    index = frame.index if chosen is None else pd.RangeIndex(int(chosen.sum()))
    return pd.DataFrame(out, index=index, copy=False)


def _levels(name: str, cells: pd.Series, column: Column) -> pd.Categorical:
    levels = [canonical(level) for level in column.levels]
    found, distinct = pd.factorize(cells)
    codes = np.append(pd.Index(levels).get_indexer(pd.Index(distinct.astype(object))), -1)[found]
    strange = int(((codes < 0) & cells.notna().to_numpy()).sum())
    if strange:
        raise DataError(
            f"'{name}' must be one of its {len(levels)} categories in the data dictionary or missing; {strange} eligible "
            f"subjects have something else. Correct the extract, or add the category to the dictionary."
        )
    dtype = pd.CategoricalDtype(levels, ordered=column.kind == "ordinal")
    return pd.Categorical.from_codes(codes, dtype=dtype)
