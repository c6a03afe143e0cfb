"""Predictors of the past from events: which columns, and their values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mgvae.arrays import FloatArray
from mgvae.config.source import NUMERIC, Aggregation, Source
from mgvae.ehr.cohort import shift
from mgvae.ehr.database import number, quoted, rows
from mgvae.ehr.predicates import Predicates
from mgvae.errors import DataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BLOCK = 20_000  # rows of the table that are in memory at once
SECONDS_A_DAY = 86_400
EXPRESSIONS: dict[Aggregation, str] = {
    "any": "1",
    "count": "count(*) FILTER (IN_WINDOW)",
    "last": "arg_max(value, (time, value)) FILTER (IN_WINDOW AND value IS NOT NULL)",
    "min": "min(value) FILTER (IN_WINDOW)",
    "max": "max(value) FILTER (IN_WINDOW)",
    "mean": "avg(value) FILTER (IN_WINDOW)",
    "slope": "CASE WHEN count(DISTINCT time) FILTER (IN_WINDOW AND value IS NOT NULL) > 1 "
    "THEN regr_slope(value, -days) FILTER (IN_WINDOW) END",
    "days_since": "min(days) FILTER (IN_WINDOW)",
}
ABSENT_IS_ZERO = ("any", "count")


@dataclass(frozen=True)
class Predictor:
    """A column of the table.

    Attributes:
        domain, code, unit: which events; ``unit`` where a code comes in several.
        aggregation: what is made of them.
        days: the window; None for all the past.
        label: name for people.
        subjects: how many subjects have such an event.
    """

    domain: str
    code: str
    unit: str | None
    aggregation: Aggregation
    days: float | None
    label: str
    subjects: int

    @property
    def name(self) -> str:
        """The column's name."""
        window = "all" if self.days is None else f"{self.days:g}d"
        unit = f" [{self.unit}]" if self.unit else ""
        return f"{self.domain}:{self.code}{unit}:{self.aggregation}:{window}"


class PredictorBuilder:
    """Makes the values of predictors for the rows of the table ``candidates``.

    Args:
        connection: the database, with its cohort.
        source: the section.
        predicates: its predicates.
    """

    def __init__(self, connection: DuckDBPyConnection, source: Source, predicates: Predicates) -> None:
        self._connection = connection
        self._source = source
        self._predicates = predicates
        self._windows = [None if days == "all" else float(days) for days in source.predictors.lookback_days]

    def build(self) -> tuple[Predictor, ...]:
        """Choose the columns and calculate their values; return the columns.

        Codes are chosen by how many subjects have them, never by the outcome.

        Raises:
            DataError: an event that was not known at the prediction got in (a defect).
        """
        self._number_rows()
        self._collect()
        check_known_before(self._connection, self._source.gap_days)
        self._group_rare()
        chosen = self._choose()
        self._calculate(chosen)
        return self._without_constants(chosen)

    def blocks(self, predictors: tuple[Predictor, ...]) -> Iterator[FloatArray]:
        """Yield ``(rows, columns)`` blocks in the order of the rows; missing NaN, no event 0 for any and count."""
        empty = np.array([0.0 if one.aggregation in ABSENT_IS_ZERO else np.nan for one in predictors], dtype=np.float64)
        total = number(self._connection, "SELECT count(*) FROM cohort")
        for start in range(0, total, BLOCK):
            block = np.tile(empty, (min(BLOCK, total - start), 1))
            query = "SELECT row_number - ? AS row, number, value FROM long WHERE row_number >= ? AND row_number < ?"
            found = self._connection.execute(query, [start, start, start + BLOCK]).fetchnumpy()
            block[found["row"], found["number"]] = found["value"]
            yield block

    def _number_rows(self) -> None:
        self._connection.execute("""
            CREATE TABLE cohort AS SELECT row_number() OVER (ORDER BY subject, time) - 1 AS row_number, * FROM candidates
        """)

    def _collect(self) -> None:
        """Make the table of all events that each row may know, with the days before the prediction."""
        predictors, gap = self._source.predictors, self._source.gap_days
        longest = None if None in self._windows else max(days for days in self._windows if days is not None)
        since = "" if longest is None else f" AND e.time >= {shift('c.time', -longest)}"
        domains = ", ".join(map(quoted, predictors.domains))
        out = "".join(f" AND NOT coalesce({self._predicates.condition(name)}, FALSE)" for name in predictors.exclude)
        self._connection.execute(f"""
            CREATE TABLE used AS
            SELECT c.row_number, c.time AS prediction, e.known, e.domain, e.code, e.unit, e.value, e.time,
                   epoch(c.time - e.time) / {SECONDS_A_DAY} AS days
            FROM cohort c JOIN (SELECT * FROM events WHERE domain IN ({domains}){out}) e USING (subject)
            WHERE e.known <= {shift("c.time", -gap)}{since}
        """)

    def _group_rare(self) -> None:
        """Count events under the ancestors asked for, and rare codes under their prefix; keep codes of enough subjects."""
        hierarchy, least = self._source.predictors.hierarchy, self._source.predictors.min_patients
        if hierarchy.ancestors:
            given = ", ".join(map(str, hierarchy.ancestors))
            self._connection.execute(f"""
                INSERT INTO used SELECT row_number, prediction, known, domain, CAST(ancestor AS VARCHAR), NULL, NULL, time, days
                FROM used JOIN ancestors ON CAST(descendant AS VARCHAR) = code
                WHERE ancestor IN ({given}) AND ancestor <> descendant
            """)
        subjects = "SELECT domain, code, count(DISTINCT subject) AS n FROM used JOIN cohort USING (row_number) GROUP BY ALL"
        if hierarchy.prefix is not None:
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE frequent AS SELECT domain, code FROM ({subjects}) WHERE n >= {least}"
            )
            self._connection.execute(f"""
                UPDATE used SET code = left(code, {hierarchy.prefix}) || '*', value = NULL, unit = NULL
                WHERE NOT EXISTS (SELECT 1 FROM frequent f WHERE f.domain = used.domain AND f.code = used.code)
                  AND length(code) > {hierarchy.prefix}
            """)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE frequent AS SELECT * FROM ({subjects}) WHERE n >= {least}")
        self._connection.execute("""
            CREATE TEMP TABLE united AS SELECT domain, code FROM used WHERE unit IS NOT NULL AND value IS NOT NULL
            GROUP BY ALL HAVING count(DISTINCT unit) > 1
        """)

    def _choose(self) -> tuple[Predictor, ...]:
        """Return the most frequent columns, those of one code together."""
        found = rows(
            self._connection,
            """
            SELECT f.domain, f.code, CASE WHEN d.code IS NOT NULL THEN u.unit END AS measure, min(names.name),
                   count(DISTINCT subject) AS n, count(u.value) > 0 AS numbers
            FROM frequent f JOIN used u USING (domain, code) JOIN cohort USING (row_number)
            LEFT JOIN united d ON d.domain = f.domain AND d.code = f.code LEFT JOIN names ON names.code = f.code
            GROUP BY f.domain, f.code, measure ORDER BY n DESC, f.domain, f.code, measure
            """,
        )
        chosen: list[Predictor] = []
        for domain, code, unit, name, subjects, numeric in found:
            if subjects >= self._source.predictors.min_patients:
                chosen.extend(self._columns(str(domain), str(code), unit, name, int(subjects), numeric=bool(numeric)))
        return tuple(chosen[: self._source.predictors.max_columns])

    def _columns(
        self, domain: str, code: str, unit: str | None, name: str | None, subjects: int, *, numeric: bool
    ) -> Iterator[Predictor]:
        title = f"{name or code}{f' [{unit}]' if unit else ''}"
        for aggregation in self._source.predictors.aggregations:
            if aggregation in NUMERIC and not numeric:
                continue
            for days in self._windows:
                window = "ever" if days is None else f"{days:g} days"
                label = f"{title}: {aggregation.replace('_', ' ')}, {window}"
                yield Predictor(domain, code, unit, aggregation, days, label, subjects)

    def _calculate(self, chosen: tuple[Predictor, ...]) -> None:
        """Make the table ``long`` of row, column and value; values that follow from no event are left out."""
        self._connection.execute("CREATE TABLE long (row_number BIGINT, number INTEGER, value DOUBLE)")
        self._connection.execute("SET threads = 1")  # sums of numbers depend on their order
        for aggregation in dict.fromkeys(one.aggregation for one in chosen):
            for days in self._windows:
                numbered = [(i, one) for i, one in enumerate(chosen) if one.aggregation == aggregation and one.days == days]
                if numbered:
                    self._calculate_one(aggregation, days, numbered)
        self._connection.execute("RESET threads")

    def _without_constants(self, chosen: tuple[Predictor, ...]) -> tuple[Predictor, ...]:
        """Leave out columns that have one value, which tell patients from none; number the others anew."""
        total = number(self._connection, "SELECT count(*) FROM cohort")
        spread = {
            int(column): int(count) if low == high else None
            for column, count, low, high in rows(
                self._connection, "SELECT number, count(*), min(value), max(value) FROM long GROUP BY number"
            )
        }
        varying = []
        for column, one in enumerate(chosen):
            same = spread.get(column, 0)  # how many rows have the one value, None where there are several
            if same is None or (0 < same < total and one.aggregation in ABSENT_IS_ZERO):
                varying.append(column)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE kept (number INTEGER, place INTEGER)")
        if varying:
            self._connection.executemany("INSERT INTO kept VALUES (?, ?)", [(one, i) for i, one in enumerate(varying)])
        self._connection.execute("""
            CREATE OR REPLACE TABLE long AS SELECT row_number, place AS number, value FROM long JOIN kept USING (number)
        """)
        return tuple(chosen[column] for column in varying)

    def _calculate_one(self, aggregation: Aggregation, days: float | None, numbered: list[tuple[int, Predictor]]) -> None:
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE wanted (number INTEGER, domain VARCHAR, code VARCHAR, measure VARCHAR)"
        )
        self._connection.executemany(
            "INSERT INTO wanted VALUES (?, ?, ?, ?)", [(i, one.domain, one.code, one.unit) for i, one in numbered]
        )
        window = "TRUE" if days is None else f"days <= {days!r}"
        expression = EXPRESSIONS[aggregation].replace("IN_WINDOW", window)
        self._connection.execute(f"""
            INSERT INTO long SELECT * FROM (
                SELECT u.row_number, w.number, {expression} AS value FROM used u
                JOIN wanted w ON w.domain = u.domain AND w.code = u.code AND (w.measure IS NULL OR w.measure = u.unit)
                WHERE {window} GROUP BY ALL
            ) WHERE value IS NOT NULL
        """)


def check_known_before(connection: DuckDBPyConnection, gap_days: float) -> None:
    """Check that every event of ``used`` was known ``gap_days`` before its prediction.

    Raises:
        DataError: one was not; the table must not be used.
    """
    late = number(connection, f"SELECT count(*) FROM used WHERE known > {shift('prediction', -gap_days)} OR time > known")
    if late:
        raise DataError(
            f"Predictors must be known {gap_days:g} days before the prediction; {late:,} events were not. This is a defect."
        )
