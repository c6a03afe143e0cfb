"""The DuckDB database in which event tables become one row per patient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mgvae.errors import ExtractError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "2GB"  # DuckDB writes what does not fit to the scratch folder
TABLES = """
CREATE TABLE events (
    subject BIGINT, time TIMESTAMP, known TIMESTAMP, domain VARCHAR, code VARCHAR, source_code VARCHAR, value DOUBLE,
    unit VARCHAR
);
CREATE TABLE persons (subject BIGINT, birth TIMESTAMP, death TIMESTAMP, sex VARCHAR, race VARCHAR, ethnicity VARCHAR);
CREATE TABLE periods (subject BIGINT, start TIMESTAMP, stop TIMESTAMP);
CREATE TABLE names (code VARCHAR, name VARCHAR);
CREATE TABLE ancestors (ancestor BIGINT, descendant BIGINT);
"""


@contextmanager
def database(folder: Path) -> Iterator[DuckDBPyConnection]:
    """Yield a database in ``folder`` with the tables that both readers fill.

    ``events``: when it happened, when it was known, and what; ``persons``; ``periods``: when each was observed; ``names`` of
    codes; ``ancestors`` of OMOP concepts.
    """
    import duckdb

    connection = duckdb.connect(str(folder / "events.duckdb"))
    try:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = {quoted(str(folder))}")
        connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false; SET TimeZone = 'UTC'")
        connection.execute(TABLES)
        yield connection
    finally:
        connection.close()


def quoted(text: str) -> str:
    """Return ``text`` as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def identifier(text: str) -> str:
    """Return ``text`` as a name of SQL."""
    return '"' + text.replace('"', '""') + '"'


def rows(connection: DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    return list(connection.execute(query, parameters or []).fetchall())


def number(connection: DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> int:
    """Return the one whole number that a query gives."""
    return int(rows(connection, query, parameters)[0][0] or 0)


def columns(connection: DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return the columns of a relation, by their lower-case names."""
    connection.execute(f"SELECT * FROM {relation} LIMIT 0")
    return {str(one[0]).lower(): str(one[0]) for one in connection.description or ()}


@contextmanager
def reading(place: str) -> Iterator[None]:
    """Turn DuckDB's errors, which may quote cells, into one that names the place alone.

    Raises:
        ExtractError: the files there cannot be read.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise ExtractError(
            f"{place}: must be readable event tables; {type(error).__name__} while they were read. "
            f"Check that each file is whole and in the format its name says."
        ) from None
