"""The section `source` of cohort.yaml: how event tables become one row per patient."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, field_validator, model_validator

from mgvae.config.follow_up import FollowUp
from mgvae.config.predicate import Domain, Predicate
from mgvae.config.strict import Strict, build, require_one_study
from mgvae.config.yaml_reader import read_yaml
from mgvae.errors import ConfigError, nearest

Aggregation = Literal["any", "count", "last", "min", "max", "mean", "slope", "days_since"]
NUMERIC: tuple[Aggregation, ...] = ("last", "min", "max", "mean", "slope")
FOLLOWING = ("extract", "dictionary", "columns", "subject_id", "group", "index_date", "outcome", "attrition", "horizon_days")
UNPROTECTED = "must hold no password, as this text is kept and displayed; give it in PGPASSWORD or ~/.pgpass"


def has_password(url: str) -> bool:
    """Return whether the URL of a database holds a password."""
    parts = urlsplit(url)
    return parts.password is not None or "password" in parse_qs(parts.query)


class Without(Strict):
    """Events that must not happen near the prediction.

    Attributes:
        events: name of the predicate.
        start_days, end_days: days from the prediction time; the start is not part of it where times are times, the end is.
    """

    events: str
    start_days: float
    end_days: float


class Index(Strict):
    """When the prediction is made.

    Attributes:
        event: name of the predicate whose events are index events.
        offset_days: days from that event to the prediction; 1 predicts at 24 hours.
        first_only: true takes each subject's first event that meets all of ``min_age`` to ``without`` and the washout;
            ``ever`` the very first, and the subject leaves where that one does not meet them; false takes all, and a subject
            has several rows.
        min_age, max_age: age in years at the prediction, both included.
        since, until: earliest and latest date, as 2019-12-31, both included.
        without: events that must not happen near the prediction.
    """

    event: str
    offset_days: float = 0
    first_only: bool | Literal["ever"] = True
    min_age: float | None = None
    max_age: float | None = None
    since: str | None = None
    until: str | None = None
    without: tuple[Without, ...] = ()

    @field_validator("since", "until")
    @classmethod
    def _iso_date(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError("must be a date such as 2019-12-31")
        return value


class Observation(Strict):
    """How long a subject must have been observed before.

    Attributes:
        washout_days: days of continuous observation before the prediction.
    """

    washout_days: float = Field(default=0, ge=0)


class OutcomeWindow(Strict):
    """What counts as the outcome, and when.

    Attributes:
        events: name of the predicate.
        start_days, end_days: the window, in days from the prediction, both included where times are days; where times are
            times the start is not.
        until: instead of ``end_days``: the window ends at the next event of this predicate, which must come.
        label: the outcome's name in the report.
    """

    events: str
    start_days: float = 1
    end_days: float | None = None
    until: str | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _ends_once(self) -> OutcomeWindow:
        if (self.end_days is None) == (self.until is None):
            raise ValueError("give end_days, or until")
        if self.end_days is not None and self.end_days < self.start_days:
            raise ValueError(f"end_days must be at least start_days, {self.start_days:g}")
        return self


class PriorOutcome(Strict):
    """What becomes of subjects who had the outcome before the window.

    Attributes:
        action: drop or keep.
        lookback_days: how far back it counts; all of it if absent.
    """

    action: Literal["drop", "keep"] = "drop"
    lookback_days: float | None = Field(default=None, gt=0)


class Hierarchy(Strict):
    """How rare codes are grouped.

    Attributes:
        prefix: a code of fewer than ``min_patients`` subjects counts as its first so many characters.
        ancestors: OMOP concepts: an event counts for each of these above it, besides its own code.
    """

    prefix: int | None = Field(default=None, ge=1)
    ancestors: tuple[int, ...] = ()


class Predictors(Strict):
    """What is known of each subject at the prediction.

    Attributes:
        lookback_days: windows that end at the prediction; ``all`` for all the past.
        aggregations: any and count of events, days_since the last one; last, min, max, mean and slope (per day) of values.
        domains: tables of OMOP that predictors come from.
        exclude: predicates whose events are no predictors.
        min_patients: codes of fewer subjects with an event in the longest window are grouped, or left out.
        max_columns: the most frequent so many columns stay.
        gap_days: days before the prediction that are not looked at; 1 in OMOP, whose times are days, so that nothing of the
            day itself is used, and 0 in MEDS, where an event at the prediction time is known.
        known_at_discharge: domains whose codes are filed when the visit ends: they are known from then on.
        demographics: whether age, sex, race and ethnicity are predictors.
        hierarchy: how rare codes are grouped.
    """

    lookback_days: tuple[float | Literal["all"], ...] = (30, 365, "all")
    aggregations: tuple[Aggregation, ...] = ("any", "last")
    domains: tuple[Domain, ...] = ("condition", "drug", "procedure", "measurement", "observation", "device", "visit", "event")
    exclude: tuple[str, ...] = ()
    min_patients: int = Field(default=20, ge=1)
    max_columns: int = Field(default=2000, ge=1)
    gap_days: float | None = Field(default=None, ge=0)
    known_at_discharge: tuple[Domain, ...] = ("condition", "procedure")
    demographics: bool = True
    hierarchy: Hierarchy = Hierarchy()

    @field_validator("lookback_days", "aggregations")
    @classmethod
    def _some_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value or len(set(value)) < len(value):
            raise ValueError("must name at least one, each once")
        if any(isinstance(days, float | int) and days <= 0 for days in value):
            raise ValueError("must be above 0, or all")
        return value


class Source(Strict):
    """Event tables and the question put to them.

    Attributes:
        omop: folder of the OMOP CDM 5.3 or 5.4 tables as CSV or Parquet, or the URL of a database: ``duckdb:///file.db``, or
            ``postgresql://user@host/database`` without a password, which PGPASSWORD or ~/.pgpass gives.
        meds: folder of MEDS 0.4 shards, or one Parquet file.
        tables: OMOP tables whose file has another name, such as ``{concept: 2b_concept.csv.gz}``.
        columns: columns that have another name than the standard's, such as ``{numeric_value: value}``.
        predicates: which events are meant, by name.
        index, observation, outcome, prior_outcome, follow_up, predictors: see there.
        censoring: ``exclude``: a subject whose outcome is unknown because follow-up ended leaves. ``ipcw``: nobody leaves, and
            those with a known outcome stand for the others by inverse-probability-of-censoring weights, as with
            ``outcome.follow_up``; death without the event is then a competing event.
    """

    omop: str | None = None
    meds: str | None = None
    tables: dict[str, str] = Field(default_factory=dict)
    columns: dict[str, str] = Field(default_factory=dict)
    predicates: dict[str, Predicate]
    index: Index
    observation: Observation = Observation()
    outcome: OutcomeWindow
    prior_outcome: PriorOutcome = PriorOutcome()
    follow_up: FollowUp = FollowUp()
    censoring: Literal["exclude", "ipcw"] = "exclude"
    predictors: Predictors = Predictors()

    @field_validator("prior_outcome", mode="before")
    @classmethod
    def _one_word(cls, value: object) -> object:
        return {"action": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _weighs_to_a_horizon(self) -> Source:
        end = self.outcome.end_days
        if self.censoring == "ipcw" and (end is None or end < 1 or end != round(end)):
            raise ValueError("censoring: ipcw needs outcome.end_days, a whole number of days: up to which day the event counts")
        if self.censoring == "ipcw" and self.follow_up != FollowUp():
            raise ValueError("censoring: ipcw keeps everybody, however long the follow-up; leave out follow_up")
        return self

    @model_validator(mode="after")
    def _one_store(self) -> Source:
        if (self.omop is None) == (self.meds is None):
            raise ValueError("give omop or meds: where the event tables are")
        if self.meds is not None and any(one.concepts for one in self.predicates.values()):
            raise ValueError("concepts belong to OMOP; in MEDS give code")
        return self

    @model_validator(mode="after")
    def _names_predicates(self) -> Source:
        for name, predicate in self.predicates.items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise ValueError(f"predicates: '{name}' must be letters, digits and '_', beginning with a letter")
            for other in (predicate.joined or ("", ()))[1]:
                if other not in self.predicates:
                    raise ValueError(f"predicates.{name}: expr names '{other}', which is absent.{self._near(other)}")
            self._check_no_circle((name,))
        used = {
            "index.event": (self.index.event,),
            "index.without": tuple(one.events for one in self.index.without),
            "outcome.events": (self.outcome.events,),
            "outcome.until": (self.outcome.until,) if self.outcome.until else (),
            "predictors.exclude": self.predictors.exclude,
        }
        for place, names in used.items():
            for name in names:
                if name not in self.predicates:
                    raise ValueError(f"{place} names the predicate '{name}', which is absent.{self._near(name)}")
        return self

    def _near(self, name: str) -> str:
        return nearest(name, self.predicates)

    def _check_no_circle(self, path: tuple[str, ...]) -> None:
        predicate = self.predicates.get(path[-1])
        for other in (predicate.joined if predicate and predicate.joined else ("", ()))[1]:
            if other in path:
                raise ValueError(f"predicates.{other}: expr must not lead back to itself")
            self._check_no_circle((*path, other))

    @property
    def gap_days(self) -> float:
        """Days before the prediction that predictors do not look at."""
        given = self.predictors.gap_days
        return given if given is not None else 1.0 if self.omop is not None else 0.0

    @property
    def on_server(self) -> bool:
        """Whether the tables are in a server's database, where nothing tells whether they changed."""
        return (self.omop or "").startswith(("postgresql://", "postgres://"))

    @property
    def by_day(self) -> bool:
        """Whether times are days (OMOP) rather than times (MEDS)."""
        return self.omop is not None


def load_source(cohort: Path) -> Source | None:
    """Return the section `source` of cohort.yaml; None where it has none.

    Raises:
        ConfigError: the file cannot be read, or the section is wrong.
    """
    values = read_yaml(cohort)
    require_one_study(values, str(cohort))
    if not isinstance(values, dict) or "source" not in values:
        return None
    clash = next((key for key in FOLLOWING if key in values), None)
    if clash is not None:
        raise ConfigError(
            f"{cohort}: give either source or {clash}; with source it follows from the event tables. Take {clash} out."
        )
    if isinstance(values["source"], dict) and has_password(str(values["source"].get("omop"))):
        raise ConfigError(f"{cohort}: source.omop {UNPROTECTED}.")  # before the value is quoted
    source = build(Source, values["source"], source=f"{cohort}: source")
    place = {"omop": source.omop, "meds": source.meds}
    moved = {key: _located(value, cohort.parent) for key, value in place.items() if value is not None}
    return source.model_copy(update=moved)


def _located(place: str, folder: Path) -> str:
    return place if "://" in place else str((folder / place).resolve())
