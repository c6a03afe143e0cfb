"""Copy OMOP tables of a PostgreSQL database, as they are at one moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mgvae.config.source import UNPROTECTED, has_password
from mgvae.ehr.database import identifier
from mgvae.errors import ConfigError, ExtractError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# of other types, such as numeric, the text is taken; the reader makes numbers of it
EXACT: Final = frozenset({"smallint", "integer", "bigint", "real", "double precision", "date", "text", "character varying"})
LIST: Final = """
    SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY table_schema, table_name, ordinal_position
"""


class PostgresTables:
    """Reads the tables of a server, each when it is asked for.

    All are read in one transaction that only reads: a load of new data that goes on meanwhile is not seen in part.
    """

    def __init__(self, connection: DuckDBPyConnection, url: str) -> None:
        if has_password(url):
            raise ConfigError(f"source.omop {UNPROTECTED}.")
        try:
            from adbc_driver_manager import Error
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise ConfigError(
                "source.omop names a PostgreSQL database, which needs a package that is not installed: "
                "pip install 'mgvae-cohort[postgres]'."
            ) from None
        self.connection, self.url, self.error = connection, url, Error
        try:
            self.server = dbapi.connect(url)
        except Error as error:
            raise ExtractError(
                f"source.omop: the database {url} must answer and let itself be read; {type(error).__name__}. Check host, "
                f"port, name and user in the URL, and the password in PGPASSWORD or ~/.pgpass."
            ) from None
        self._execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").close()
        self.tables = self._listed()

    def close(self) -> None:
        """End the transaction and the connection."""
        self.server.close()

    def relation(self, name: str) -> str | None:
        """Return the copy of the table ``name``, or ``schema.name``, as SQL reads it; None where there is none.

        Raises:
            ExtractError: several schemas have it, or it cannot be read.
        """
        found = [key for key in self.tables if name.lower() in (key[1].lower(), ".".join(key).lower())]
        if len(found) > 1:
            schemas = ", ".join(schema for schema, _ in found)
            raise ExtractError(
                f"{self.url}: must have the table {name} once; it is in {schemas}. Name one: "
                f"source.tables: {{{name}: {found[0][0]}.{name}}}."
            )
        if not found:
            return None
        copy = identifier(".".join(found[0]))
        if not self.connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [".".join(found[0])]).fetchall():
            self._copy(found[0], copy)
        return copy

    def _listed(self) -> dict[tuple[str, str], dict[str, str]]:
        tables: dict[tuple[str, str], dict[str, str]] = {}
        with self._execute(LIST) as cursor:
            for schema, table, column, kind in cursor.fetchall():
                tables.setdefault((schema, table), {})[column] = kind
        return tables

    def _execute(self, query: str) -> Any:
        cursor = self.server.cursor()
        cursor.execute(query)
        return cursor

    def _copy(self, table: tuple[str, str], copy: str) -> None:
        chosen = ", ".join(
            identifier(column) if kind in EXACT else f"CAST({identifier(column)} AS text) AS {identifier(column)}"
            for column, kind in self.tables[table].items()
        )
        try:
            with self._execute(f"SELECT {chosen} FROM {'.'.join(map(identifier, table))}") as cursor:
                self.connection.register("incoming", cursor.fetch_record_batch())
                self.connection.execute(f"CREATE TABLE {copy} AS SELECT * FROM incoming")
                self.connection.unregister("incoming")
        except self.error as error:
            raise ExtractError(
                f"{self.url}: the table {'.'.join(table)} must be readable; {type(error).__name__}. Check that the user "
                "may read it."
            ) from None
