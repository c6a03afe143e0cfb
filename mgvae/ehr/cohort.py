"""Index dates, outcomes and the attrition from event tables to a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgvae.config.attrition import AttritionStep
from mgvae.config.source import Source
from mgvae.ehr.database import quoted, rows
from mgvae.ehr.predicates import Predicates
from mgvae.errors import DataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MICROSECONDS_A_DAY = 86_400_000_000
DIED = "(NOT event AND coalesce(death <= window_end, FALSE))"  # in the window, without the event: it cannot come any more
LOST = f"(NOT event AND NOT {DIED} AND observed_to < window_end)"  # whether it came is unknown
AGE = "(date_diff('day', birth, time) / 365.25)"  # at the prediction, in years


def shift(time: str, days: float) -> str:
    """Return the expression of ``time`` moved by ``days``."""
    return f"({time} + to_microseconds({round(days * MICROSECONDS_A_DAY)}))"


class CohortBuilder:
    """Makes the table ``cohort`` (row, subject, time, event, reached) and its attrition.

    Args:
        connection: the database, filled.
        source: the section.
        predicates: its predicates.
    """

    def __init__(self, connection: DuckDBPyConnection, source: Source, predicates: Predicates) -> None:
        self._connection = connection
        self._source = source
        self._predicates = predicates
        self.steps: list[AttritionStep] = []

    def build(self) -> None:
        """Find index events, outcomes and who can be followed; write the attrition.

        Raises:
            DataError: nobody is left.
        """
        self._candidates()
        self._outcomes()
        index, source = self._source.index, self._source
        self._count(f"Index events: {index.event}")
        if index.first_only == "ever":
            self._first("The subject's first index event")
        self._keep("Observed at the prediction", "observed_from IS NOT NULL")
        self._ages()
        if source.observation.washout_days:
            washout = source.observation.washout_days
            self._keep(f"Observed for {washout:g} days before", f"{shift('observed_from', washout)} <= time")
        for one in index.without:
            near = f"e.time > {shift('c.time', one.start_days)} AND e.time <= {shift('c.time', one.end_days)}"
            found = f"SELECT 1 FROM {self._predicates.relation(one.events)} e WHERE e.subject = c.subject AND {near}"
            self._keep(f"No {one.events} from day {one.start_days:g} to day {one.end_days:g}", f"NOT EXISTS ({found})")
        if source.outcome.until is not None:
            self._keep(f"{source.outcome.until} follows", "window_end IS NOT NULL")
        if index.first_only is True:
            self._first("First such index event of each subject")
        if source.prior_outcome.action == "drop":
            self._keep("No outcome before the window", "NOT prior")
        self._follow()

    def _candidates(self) -> None:
        index = self._source.index
        self._connection.execute(f"""
            CREATE TABLE candidates AS
            SELECT i.subject, {shift("i.time", index.offset_days)} AS time, p.birth, p.death,
                   max(o.start) AS observed_from, max(o.stop) AS observed_to
            FROM {self._predicates.relation(index.event)} i LEFT JOIN persons p USING (subject)
            LEFT JOIN periods o ON o.subject = i.subject
                 AND {shift("i.time", index.offset_days)} BETWEEN o.start AND o.stop
            GROUP BY ALL
        """)

    def _outcomes(self) -> None:
        """Add the window's end, whether the event is in it, and whether one came before."""
        outcome, by_day = self._source.outcome, self._source.by_day
        start = shift("c.time", outcome.start_days)
        after = ">=" if by_day else ">"
        if outcome.until is None:
            end = shift("c.time", outcome.end_days or 0)
        else:
            ends = f"SELECT min(u.time) FROM {self._predicates.relation(outcome.until)} u"
            end = f"({ends} WHERE u.subject = c.subject AND u.time {after} {start})"
        back = self._source.prior_outcome.lookback_days
        since = "" if back is None else f" AND e.time >= {shift('c.time', -back)}"
        before = "<" if by_day else "<="
        self._connection.execute(f"CREATE TABLE outcomes AS SELECT * FROM {self._predicates.relation(outcome.events)}")
        self._connection.execute(
            f"CREATE TABLE windows AS SELECT c.*, {start} AS window_start, {end} AS window_end FROM candidates c"
        )
        self._connection.execute(f"""
            CREATE OR REPLACE TABLE candidates AS
            SELECT c.*, min(e.time) FILTER (e.time {after} window_start AND e.time <= window_end) AS event_time,
                   event_time IS NOT NULL AS event,
                   coalesce(bool_or(e.time {before} window_start{since}), FALSE) AS prior
            FROM windows c LEFT JOIN outcomes e USING (subject) GROUP BY ALL
        """)
        self._connection.execute("DROP TABLE windows")

    def _ages(self) -> None:
        index = self._source.index
        if index.min_age is not None:
            self._keep(f"At least {index.min_age:g} years old", f"{AGE} >= {index.min_age!r}")
        if index.max_age is not None:
            self._keep(f"At most {index.max_age:g} years old", f"{AGE} <= {index.max_age!r}")
        if index.since is not None:
            self._keep(f"From {index.since}", f"time >= {quoted(index.since)}::TIMESTAMP")
        if index.until is not None:
            self._keep(f"Until {index.until}", f"time < {quoted(index.until)}::TIMESTAMP + INTERVAL 1 DAY")

    def _follow(self) -> None:
        """Drop those whose follow-up is too short to know the outcome."""
        source = self._source
        follow = source.follow_up
        if source.censoring == "ipcw":
            lost = rows(self._connection, f"SELECT count(*) FROM candidates WHERE {LOST}")[0][0]
            note = f"Of {lost:,} the outcome is unknown: followed for less, without the event or death. Weights allow for them."
            self._count("Followed to the end of the window or not", note)
        dead = f" OR {DIED}"
        kept = f"{', or with the event' if follow.keep_events else ''}{', or dead' if follow.keep_dead else ''}"
        if follow.min_days is not None:
            whole = f"observed_to >= {shift('time', follow.min_days)}"
            chosen = f"{whole}{' OR event' if follow.keep_events else ''}{dead if follow.keep_dead else ''}"
            self._keep(f"Followed for {follow.min_days:g} days{kept}", chosen, note=self._without_keeping(whole))
        if source.outcome.until is None and source.censoring == "exclude":
            whole = "observed_to >= window_end"
            events = " OR event" if follow.keep_events or follow.min_days is not None else ""
            chosen = f"{whole}{events}{dead if follow.keep_dead else ''}"
            self._keep(f"Followed to the end of the window{kept}", chosen, note=self._without_keeping(whole))
        if not self.steps[-1].rows:
            emptied = next(step.label for step in self.steps if not step.rows)
            raise DataError(
                f"The cohort must have subjects; after the step '{emptied}' nobody is left. "
                f"Widen that step in the section source."
            )

    def _without_keeping(self, whole: str) -> str:
        """Say how many would stay if all had to be followed in full, the dead and those with the event too."""
        counts = "count(*), count(*) FILTER (event), count(*) FILTER (NOT event AND death <= window_end)"
        left, events, dead = rows(self._connection, f"SELECT {counts} FROM candidates WHERE NOT ({whole})")[0]
        return f"{left:,} are followed for less: {events:,} with the event, {dead:,} who died without it."

    def _first(self, label: str) -> None:
        self._keep(label, "TRUE", qualify="row_number() OVER (PARTITION BY subject ORDER BY time) = 1")

    def _keep(self, label: str, condition: str, *, qualify: str | None = None, note: str | None = None) -> None:
        extra = "" if qualify is None else f" QUALIFY {qualify}"
        self._connection.execute(f"CREATE OR REPLACE TABLE candidates AS SELECT * FROM candidates c WHERE {condition}{extra}")
        self._count(label, note)

    def _count(self, label: str, note: str | None = None) -> None:
        found = rows(self._connection, "SELECT count(*), count(DISTINCT subject), count(*) FILTER (event) FROM candidates")[0]
        self.steps.append(
            AttritionStep(label=label, rows=int(found[0]), subjects=int(found[1]), events=int(found[2]), note=note)
        )
