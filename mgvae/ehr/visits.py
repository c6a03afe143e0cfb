"""Reduce tables of several rows per patient to one row: the section `visits`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pyarrow import parquet

from mgvae.config.reviews import open_reviews
from mgvae.config.visits import Reduction, Visits, VisitsStudy
from mgvae.config.yaml_reader import read_yaml
from mgvae.ehr.cohort import shift
from mgvae.ehr.database import columns, database, identifier, number, quoted, reading, rows
from mgvae.ehr.study_files import BUILT, COHORT, EXTRACT, digest_of, replace_files, write_json
from mgvae.ehr.table_files import relation_of
from mgvae.errors import DataError, ExtractError, nearest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MOST_CODES = 5_000
ORDERED = "(__moment, __place)"
EXPRESSIONS: dict[Reduction, str] = {
    "last": f"arg_max(cell, {ORDERED}) FILTER (cell IS NOT NULL)",
    "first": f"arg_min(cell, {ORDERED}) FILTER (cell IS NOT NULL)",
    "min": "min(TRY_CAST(cell AS DOUBLE))",
    "max": "max(TRY_CAST(cell AS DOUBLE))",
    "mean": "avg(TRY_CAST(cell AS DOUBLE))",
    "count": "count(cell)",
    "any": "CAST(count(*) > 0 AS TINYINT)",
}
ABSENT_IS_ZERO = ("count", "any")


def reduce_visits(cohort: Path, study: VisitsStudy, out: Path) -> tuple[str, ...]:
    """Write the study whose extract has one row per patient to ``out``; return remarks.

    Raises:
        ConfigError: the folder cannot be written.
        DataError: a table cannot be read, or a patient has several outcomes or index dates.
    """
    with replace_files(out) as place, tempfile.TemporaryDirectory(dir=place) as work, database(Path(work)) as connection:
        connection.execute("SET threads = 1; SET preserve_insertion_order = true")
        remarks = _reduce(connection, cohort.parent, study)
        patients = connection.sql("SELECT * EXCLUDE (__place) FROM patients ORDER BY __place")
        parquet.write_table(patients.to_arrow_table(), place / EXTRACT)
        values = {key: value for key, value in read_yaml(cohort).items() if key != "visits"} | {"extract": EXTRACT}
        if isinstance(values.get("dictionary"), str):
            values["dictionary"] = str((cohort.parent / values["dictionary"]).resolve())
        write_json(place / COHORT, values, comments=open_reviews(cohort))
        write_json(place / BUILT, {"digest": visits_digest(cohort, study), "remarks": remarks})
    return remarks


def visits_digest(cohort: Path, study: VisitsStudy) -> str:
    """Return a digest of the configuration and of the state of the files."""
    names = (study.extract, *(one.file for one in study.visits))
    return digest_of(cohort, [cohort.parent / name for name in names if name is not None])


def _reduce(connection: DuckDBPyConnection, folder: Path, study: VisitsStudy) -> tuple[str, ...]:
    """Make the table ``patients``: the extract's rows, with a column for each reduced one."""
    own = next((one for one in study.visits if one.file is None), None)
    _load(connection, "base", folder / study.extract)
    _check_columns(connection, "base", study.extract, [study.subject_id, study.index_date, study.outcome])
    subject = identifier(study.subject_id)
    if own is None:
        connection.execute("CREATE TABLE patients AS SELECT row_number() OVER () AS __place, * FROM base")
        doubled = number(connection, f"SELECT count(*) FROM (SELECT {subject} FROM base GROUP BY 1 HAVING count(*) > 1)")
        if doubled:
            raise DataError(
                f"{study.extract}: must have one row per patient; {doubled:,} have several. Where its rows are "
                f"visits, give visits without a file."
            )
    else:
        _constants(connection, study)
    remarks: list[str] = []
    for one in study.visits:
        remarks.extend(_join(connection, folder, study, one))
    return tuple(remarks)


def _load(connection: DuckDBPyConnection, name: str, path: Path) -> None:
    with reading(str(path)):
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM {relation_of(path)}")


def _check_columns(connection: DuckDBPyConnection, table: str, label: str, names: list[str | None]) -> None:
    found = columns(connection, table)
    for name in names:
        if name is not None and name.lower() not in found:
            raise ExtractError(f"{label}: must have the column '{name}'; it is absent.{nearest(name, found.values())}")


def _constants(connection: DuckDBPyConnection, study: VisitsStudy) -> None:
    """Make one row per patient of the outcome and the index date, which a patient has once."""
    subject = identifier(study.subject_id)
    kept = [name for name in (study.index_date, study.outcome) if name is not None]
    for name in kept:
        query = f"SELECT {subject} FROM base GROUP BY 1 HAVING count(DISTINCT {identifier(name)}) > 1"
        several = number(connection, f"SELECT count(*) FROM ({query})")
        if several:
            raise DataError(
                f"{study.extract}: '{name}' must be the same in all rows of a patient; {several:,} patients have several "
                f"values. Say in the extract which one counts."
            )
    listed = "".join(f", max({identifier(name)}) AS {identifier(name)}" for name in kept)
    connection.execute(f"""
        CREATE TABLE patients AS SELECT row_number() OVER (ORDER BY min(__row)) AS __place, {subject}{listed}
        FROM (SELECT *, row_number() OVER () AS __row FROM base) GROUP BY {subject}
    """)


def _join(connection: DuckDBPyConnection, folder: Path, study: VisitsStudy, one: Visits) -> list[str]:
    """Join the reduced columns of a table to ``patients``."""
    label = one.file or study.extract
    if one.file is not None:
        _load(connection, "visits", folder / one.file)
    else:
        connection.execute("CREATE OR REPLACE TABLE visits AS SELECT * FROM base")
    subject = one.subject or study.subject_id
    _check_columns(connection, "visits", label, [subject, one.date, one.code, one.value])
    moment, limit = ("DOUBLE", repr(one.index)) if one.index is not None else ("TIMESTAMP", _limit(study))
    since = ""
    if one.lookback_days is not None:
        since = f" AND v.__moment >= {_before(limit, one.lookback_days, days=one.index is not None)}"
    connection.execute(f"""
        CREATE OR REPLACE TABLE visits AS
        SELECT *, row_number() OVER () AS __place, TRY_CAST({identifier(one.date)} AS {moment}) AS __moment FROM visits
    """)
    unread = number(connection, "SELECT count(*) FROM visits WHERE __moment IS NULL")
    connection.execute(f"""
        CREATE OR REPLACE TABLE past AS SELECT v.* FROM visits v
        JOIN patients p ON CAST(p.{identifier(study.subject_id)} AS VARCHAR) = CAST(v.{identifier(subject)} AS VARCHAR)
        WHERE v.__moment <= {limit}{since}
    """)
    own = (subject, one.date, study.outcome, study.index_date)
    skipped = {"__place", "__moment", *(name.lower() for name in own if name is not None)}
    named = _by_code(connection, one) if one.code is not None else _by_column(connection, one, skipped)
    for name, reduction, cell, condition in named:
        _add(connection, study, subject, name, reduction, cell, condition)
    return [f"{label}: {unread:,} rows have no readable date and are not used."] if unread else []


def _limit(study: VisitsStudy) -> str:
    return f"TRY_CAST(p.{identifier(str(study.index_date))} AS TIMESTAMP)"


def _before(limit: str, lookback: float, *, days: bool) -> str:
    return f"{limit} - {lookback!r}" if days else shift(limit, -lookback)


def _by_code(connection: DuckDBPyConnection, one: Visits) -> list[tuple[str, Reduction, str, str]]:
    """Return name, reduction, cell and condition of each column that a code becomes."""
    code = identifier(str(one.code))
    found = [str(row[0]) for row in rows(connection, f"SELECT DISTINCT {code} FROM past WHERE {code} IS NOT NULL ORDER BY 1")]
    if len(found) > MOST_CODES:
        raise DataError(
            f"{one.file}: '{one.code}' must have at most {MOST_CODES:,} codes; it has {len(found):,}. Use source instead."
        )
    cell = "'1'" if one.value is None else identifier(one.value)
    return [
        (_name(text, reduction, one), reduction, cell, f"WHERE {code} = {quoted(text)}")
        for text in found
        for reduction in one.reductions(text)
    ]


def _by_column(connection: DuckDBPyConnection, one: Visits, skipped: set[str]) -> list[tuple[str, Reduction, str, str]]:
    found = [name for lower, name in columns(connection, "past").items() if lower not in skipped]
    return [
        (_name(name, reduction, one), reduction, identifier(name), "") for name in found for reduction in one.reductions(name)
    ]


def _name(column: str, reduction: Reduction, one: Visits) -> str:
    return column if len(one.reductions(column)) == 1 else f"{column}_{reduction}"


def _add(
    connection: DuckDBPyConnection, study: VisitsStudy, subject: str, name: str, reduction: Reduction, cell: str, condition: str
) -> None:
    if name.lower() in columns(connection, "patients"):
        raise DataError(f"visits: '{name}' must be the name of one column; the extract has it too. Rename it there.")
    value = "coalesce(r.value, 0)" if reduction in ABSENT_IS_ZERO else "r.value"
    connection.execute(f"""
        CREATE OR REPLACE TABLE patients AS SELECT p.*, {value} AS {identifier(name)} FROM patients p LEFT JOIN (
            SELECT subject, {EXPRESSIONS[reduction]} AS value
            FROM (SELECT CAST({identifier(subject)} AS VARCHAR) AS subject, {cell} AS cell, __moment, __place
                  FROM past {condition})
            GROUP BY subject
        ) r ON r.subject = CAST(p.{identifier(study.subject_id)} AS VARCHAR)
    """)
