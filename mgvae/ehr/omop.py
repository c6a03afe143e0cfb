"""Read OMOP CDM 5.3 and 5.4: a folder of CSV or Parquet tables, or a database of DuckDB or PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mgvae.config.source import Source
from mgvae.ehr.database import columns, identifier, number, quoted, reading
from mgvae.ehr.postgres import PostgresTables
from mgvae.ehr.table_files import relation_of, table_files
from mgvae.errors import ExtractError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class EventTable:
    """Where a table of OMOP keeps what happened.

    Attributes:
        table: its name.
        domain: the name of its events.
        concept, start, source: columns of the concept, the date and the source's code.
        value, unit: columns of a number and its unit, where it has them.
        stop: column of the end, for visits.
    """

    table: str
    domain: str
    concept: str
    start: str
    source: str
    value: str | None = None
    unit: str | None = None
    stop: str | None = None


EVENT_TABLES = (
    EventTable("condition_occurrence", "condition", "condition_concept_id", "condition_start", "condition_source_value"),
    EventTable("drug_exposure", "drug", "drug_concept_id", "drug_exposure_start", "drug_source_value"),
    EventTable("procedure_occurrence", "procedure", "procedure_concept_id", "procedure", "procedure_source_value"),
    EventTable(
        "measurement", "measurement", "measurement_concept_id", "measurement", "measurement_source_value",
        "value_as_number", "unit_source_value",
    ),
    EventTable(
        "observation", "observation", "observation_concept_id", "observation", "observation_source_value",
        "value_as_number", "unit_source_value",
    ),
    EventTable("device_exposure", "device", "device_concept_id", "device_exposure_start", "device_source_value"),
    EventTable("visit_occurrence", "visit", "visit_concept_id", "visit_start", "visit_source_value", stop="visit_end"),
)  # fmt: skip
GENDERS = {8507: "male", 8532: "female"}


@dataclass(frozen=True)
class Table:
    """A table as found.

    Attributes:
        relation: how SQL reads it.
        found: its columns by their lower-case names.
        renamed: columns of another name than the standard's.
    """

    relation: str
    found: dict[str, str]
    renamed: dict[str, str]

    def column(self, name: str, kind: str) -> str:
        """Return a column as an expression of type ``kind``; NULL where the table lacks it."""
        actual = self.found.get(self.renamed.get(name, name).lower())
        return f"NULL::{kind}" if actual is None else f"TRY_CAST({identifier(actual)} AS {kind})"

    def day(self, name: str) -> str:
        """Return the day of ``<name>_date`` or ``<name>_datetime``, as a timestamp."""
        date, time = self.column(f"{name}_date", "TIMESTAMP"), self.column(f"{name}_datetime", "TIMESTAMP")
        return f"date_trunc('day', coalesce({date}, {time}))"


class Reader:
    """Reads the tables that ``source.omop`` has."""

    def __init__(self, connection: DuckDBPyConnection, source: Source) -> None:
        self.connection = connection
        self.source = source
        self.place = str(source.omop)
        self.server = PostgresTables(connection, self.place) if source.on_server else None
        self.files = table_files(Path(self.place)) if "://" not in self.place else None
        if self.files is None and self.server is None:
            attach(connection, self.place)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        if self.server is not None:
            self.server.close()

    def table(self, name: str, *, needed: bool = False) -> Table | None:
        """Return a table; None where it is absent.

        Raises:
            ExtractError: it is absent and ``needed``.
        """
        relation = self._relation(name)
        if relation is None:
            if needed:
                raise ExtractError(
                    f"{self.place}: must have the OMOP table {name}; it is absent. Export it, or name its file: "
                    f"source.tables: {{{name}: ...}}."
                )
            return None
        return Table(relation, columns(self.connection, relation), self.source.columns)

    def _relation(self, name: str) -> str | None:
        if self.server is not None:
            return self.server.relation(self.source.tables.get(name, name))
        if self.files is None:
            known = {found.lower(): found for found in tables(self.connection)}
            actual = known.get(self.source.tables.get(name, name).lower())
            return None if actual is None else f"cdm.{actual}"
        given = self.source.tables.get(name)
        if given is not None:
            path = Path(self.place) / given
            if not path.exists():
                raise ExtractError(f"source.tables.{name}: {path} must exist. Check its name.")
            return relation_of(path)
        found = self.files.get(name)
        return None if found is None else relation_of(found)


def tables(connection: DuckDBPyConnection) -> list[str]:
    """Return the tables of the attached database, each with its schema."""
    found = connection.execute("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'cdm'").fetchall()
    return [str(name) if schema == "main" else f"{schema}.{name}" for schema, name in found]


def attach(connection: DuckDBPyConnection, url: str) -> None:
    """Attach the database at ``url`` for reading, as ``cdm``.

    Raises:
        ExtractError: it is no DuckDB file that can be opened.
    """
    kind, _, path = url.partition("://")
    if kind != "duckdb":
        raise ExtractError(
            f"source.omop: must be a folder, duckdb:///FILE or postgresql://USER@HOST/DATABASE; got a URL of {kind}. Export "
            f"the tables to Parquet, one file a table."
        )
    file = Path(path.removeprefix("/") if not path.startswith("//") else path[1:])
    if not file.is_file():
        raise ExtractError(f"source.omop: the database {file} must exist. Check the URL: three slashes, then the path.")
    connection.execute(f"ATTACH {quoted(str(file))} AS cdm (READ_ONLY)")


def read_omop(connection: DuckDBPyConnection, source: Source) -> tuple[str, ...]:
    """Fill the tables from ``source.omop``; return remarks.

    Times are days. A visit's conditions and procedures are known when the visit ends, as they are coded then
    (``predictors.known_at_discharge``).

    Raises:
        ExtractError: person is absent, or a table cannot be read.
    """
    remarks: list[str] = []
    with reading(str(source.omop)), Reader(connection, source) as reader:
        _persons(reader)
        _visits(reader)
        for event_table in EVENT_TABLES:
            table = reader.table(event_table.table)
            if table is not None:
                remarks.extend(_events(reader, event_table, table))
        _deaths(reader)
        _periods(reader, remarks)
        _vocabulary(reader)
    return tuple(remarks)


def _persons(reader: Reader) -> None:
    table = reader.table("person", needed=True)
    assert table is not None  # noqa: S101 - it is needed
    year, month, day = (table.column(f"{part}_of_birth", "BIGINT") for part in ("year", "month", "day"))
    made = f"make_timestamp({year}, coalesce({month}, 7), coalesce({day}, 1), 0, 0, 0)"  # the middle of the year
    birth = f"coalesce({table.column('birth_datetime', 'TIMESTAMP')}, {made})"
    sexes = " ".join(f"WHEN {concept} THEN {quoted(name)}" for concept, name in GENDERS.items())
    reader.connection.execute(f"""
        INSERT INTO persons SELECT {table.column("person_id", "BIGINT")}, {birth}, NULL,
            CASE {table.column("gender_concept_id", "BIGINT")} {sexes} END, {_source_or_concept(table, "race")},
            {_source_or_concept(table, "ethnicity")}
        FROM {table.relation}
    """)
    if number(reader.connection, "SELECT count(*) FROM persons WHERE subject IS NULL"):
        raise ExtractError(f"{reader.place}: person_id must be a whole number in each row of person; some are not.")


def _source_or_concept(table: Table, name: str) -> str:
    source, concept = table.column(f"{name}_source_value", "VARCHAR"), table.column(f"{name}_concept_id", "BIGINT")
    return f"coalesce(nullif(trim({source}), ''), CASE WHEN {concept} <> 0 THEN CAST({concept} AS VARCHAR) END)"


def _visits(reader: Reader) -> None:
    """Make the temporary table of when each visit ended."""
    table = reader.table("visit_occurrence")
    reader.connection.execute("CREATE TEMP TABLE visit_ends (visit BIGINT, stop TIMESTAMP)")
    if table is not None:
        reader.connection.execute(f"""
            INSERT INTO visit_ends
            SELECT {table.column("visit_occurrence_id", "BIGINT")} AS visit, max({table.day("visit_end")})
            FROM {table.relation} GROUP BY 1 HAVING visit IS NOT NULL
        """)


def _events(reader: Reader, kind: EventTable, table: Table) -> list[str]:
    concept = table.column(kind.concept, "BIGINT")
    source = f"nullif(trim({table.column(kind.source, 'VARCHAR')}), '')"
    if kind.domain == "visit":  # its source value names the single visit
        source = "NULL::VARCHAR"
    value = table.column(kind.value, "DOUBLE") if kind.value else "NULL::DOUBLE"
    unit = table.column(kind.unit, "VARCHAR") if kind.unit else "NULL::VARCHAR"
    late = kind.domain in reader.source.predictors.known_at_discharge
    known = "greatest(e.time, coalesce(v.stop, e.time))" if late else "e.time"
    code = f"CASE WHEN {concept} <> 0 THEN CAST({concept} AS VARCHAR) ELSE 'source/' || {source} END"
    query = f"""
        FROM (SELECT {table.column("person_id", "BIGINT")} AS subject, {table.day(kind.start)} AS time, {code} AS code,
                     {source} AS source_code, CASE WHEN isfinite({value}) THEN {value} END AS value, {unit} AS unit,
                     {table.column("visit_occurrence_id", "BIGINT")} AS visit FROM {table.relation}) e
    """
    reader.connection.execute(f"""
        INSERT INTO events
        SELECT e.subject, e.time, {known}, {quoted(kind.domain)}, e.code, e.source_code, e.value, e.unit {query}
        LEFT JOIN visit_ends v USING (visit) WHERE e.subject IS NOT NULL AND e.time IS NOT NULL AND e.code IS NOT NULL
    """)
    left = number(reader.connection, f"SELECT count(*) {query} WHERE e.subject IS NULL OR e.time IS NULL")
    return [f"{kind.table}: {left:,} rows have no readable person or date and are not read."] if left else []


def _deaths(reader: Reader) -> None:
    table = reader.table("death")
    if table is None:
        return
    reader.connection.execute(f"""
        CREATE TEMP TABLE deaths AS SELECT {table.column("person_id", "BIGINT")} AS subject, min({table.day("death")}) AS time
        FROM {table.relation} GROUP BY 1 HAVING subject IS NOT NULL AND min({table.day("death")}) IS NOT NULL
    """)
    reader.connection.execute("UPDATE persons SET death = d.time FROM deaths d WHERE d.subject = persons.subject")
    reader.connection.execute("INSERT INTO events SELECT subject, time, time, 'death', 'death', NULL, NULL, NULL FROM deaths")


def _periods(reader: Reader, remarks: list[str]) -> None:
    table = reader.table("observation_period")
    if table is not None:
        reader.connection.execute(f"""
            INSERT INTO periods SELECT {table.column("person_id", "BIGINT")}, {table.day("observation_period_start")},
                {table.day("observation_period_end")} FROM {table.relation}
        """)
        reader.connection.execute("DELETE FROM periods WHERE subject IS NULL OR start IS NULL OR stop IS NULL")
    if not number(reader.connection, "SELECT count(*) FROM periods"):
        remarks.append(
            "observation_period is absent or empty: each person counts as observed from the first event to the last."
        )
        reader.connection.execute("INSERT INTO periods SELECT subject, min(time), max(time) FROM events GROUP BY subject")


def _vocabulary(reader: Reader) -> None:
    concepts, ancestors = reader.table("concept"), reader.table("concept_ancestor")
    if concepts is not None:
        reader.connection.execute(f"""
            INSERT INTO names SELECT {concepts.column("concept_id", "VARCHAR")}, {concepts.column("concept_name", "VARCHAR")}
            FROM {concepts.relation}
        """)
    if ancestors is not None:
        reader.connection.execute(f"""
            INSERT INTO ancestors SELECT {ancestors.column("ancestor_concept_id", "BIGINT")},
                {ancestors.column("descendant_concept_id", "BIGINT")} FROM {ancestors.relation}
        """)
