"""Predicates of the source section as conditions of SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mgvae.config.predicate import CodePattern, Predicate
from mgvae.config.source import Source
from mgvae.ehr.database import number, quoted
from mgvae.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NO_CODES = "{place}: must hold at least one code, one a line; it holds none."


class Predicates:
    """The predicates of a source, as relations of (subject, time).

    Args:
        connection: the database, filled.
        source: the section.
        folder: where code lists are looked for.
    """

    def __init__(self, connection: DuckDBPyConnection, source: Source, folder: Path) -> None:
        self._connection = connection
        self._all = source.predicates
        self._folder = folder

    def relation(self, name: str) -> str:
        """Return a query of the subject and time of each event, each once.

        Raises:
            ConfigError: a code list cannot be read, or concepts have no descendants to be found.
        """
        joined = self._all[name].joined
        if joined is None:
            return f"(SELECT DISTINCT subject, time FROM events WHERE {self.condition(name)})"
        how, others = joined
        pieces = [f"SELECT subject, time FROM {self.relation(other)}" for other in others]
        return "(" + (" UNION " if how == "or" else " INTERSECT ").join(pieces) + ")"

    def condition(self, name: str) -> str:
        """Return the condition on a row of ``events``; of ``or`` and ``and`` that on one event."""
        predicate = self._all[name]
        if predicate.joined is not None:
            how, others = predicate.joined
            return "(" + f" {how.upper()} ".join(self.condition(other) for other in others) + ")"
        parts = [
            _codes("code", predicate.code, self._folder, place=f"predicates.{name}"),
            _codes("source_code", predicate.source_code, self._folder, place=f"predicates.{name}"),
            self._concepts(name, predicate),
            None if predicate.domain is None else f"domain = {quoted(predicate.domain)}",
            _bound("value", ">", predicate.value_min, inclusive=predicate.value_min_inclusive),
            _bound("value", "<", predicate.value_max, inclusive=predicate.value_max_inclusive),
        ]
        return "(" + " AND ".join(part for part in parts if part is not None) + ")"

    def count(self, name: str) -> int:
        """Return how many events a predicate finds."""
        return number(self._connection, f"SELECT count(*) FROM {self.relation(name)}")

    def _concepts(self, name: str, predicate: Predicate) -> str | None:
        if not predicate.concepts:
            return None
        given = ", ".join(map(str, predicate.concepts))
        if not predicate.descendants:
            return "code IN (" + ", ".join(quoted(str(concept)) for concept in predicate.concepts) + ")"
        if not number(self._connection, "SELECT count(*) FROM ancestors"):
            raise ConfigError(
                f"predicates.{name}: descendants needs the OMOP table concept_ancestor, which is absent or empty. Export it "
                f"from Athena's vocabulary, or list the concepts."
            )
        below = f"SELECT CAST(descendant AS VARCHAR) FROM ancestors WHERE ancestor IN ({given})"
        return f"(code IN ({below}) OR code IN ({', '.join(quoted(str(one)) for one in predicate.concepts)}))"


def _codes(column: str, given: str | CodePattern | None, folder: Path, *, place: str) -> str | None:
    if given is None:
        return None
    if isinstance(given, str):
        return f"{column} = {quoted(given)}"
    if given.regex is not None:
        return f"regexp_matches({column}, {quoted(given.regex)})"
    codes = given.any if given.any is not None else read_codes(folder / str(given.file), place=place)
    if not codes:
        raise ConfigError(NO_CODES.format(place=place))
    return f"{column} IN ({', '.join(map(quoted, codes))})"


def read_codes(path: Path, *, place: str) -> tuple[str, ...]:
    """Return the codes of a list, one a line; ``#`` begins a comment.

    Raises:
        ConfigError: it cannot be read or holds none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(
            f"{place}: the code list {path} must be a readable text file in UTF-8. Check source.predicates."
        ) from None
    codes = tuple(dict.fromkeys(code for line in lines if (code := line.partition("#")[0].strip())))
    if not codes:
        raise ConfigError(NO_CODES.format(place=f"{place}: {path}"))
    return codes


def _bound(column: str, sign: str, limit: float | None, *, inclusive: bool) -> str | None:
    return None if limit is None else f"{column} {sign}{'=' if inclusive else ''} {limit!r}"
