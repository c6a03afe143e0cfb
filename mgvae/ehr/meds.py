"""Read MEDS 0.4: Parquet shards of subject_id, time, code, numeric_value."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mgvae.config.source import Source
from mgvae.ehr.database import columns, identifier, number, quoted, reading
from mgvae.errors import ExtractError, nearest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NEEDED = ("subject_id", "time", "code")
OPTIONAL = {"numeric_value": "DOUBLE", "recorded_time": "TIMESTAMP", "unit": "VARCHAR"}


def read_meds(connection: DuckDBPyConnection, source: Source) -> tuple[str, ...]:
    """Fill the tables from the shards of ``source.meds``; return remarks.

    A subject is observed from the first event that is no birth to the last. Events without a time are static: of these the
    codes that begin with SEX, GENDER, RACE and ETHNICITY are read.

    Raises:
        ExtractError: there is no shard, a column is absent, or a file cannot be read.
    """
    place = str(source.meds)
    with reading(place):
        relation = f"read_parquet({_shards(place)}, union_by_name = true)"
        taken = _columns(columns(connection, relation), source.columns, place)
        if not number(connection, f"SELECT count(*) FROM {relation}"):
            raise ExtractError(f"{place}: must have events; it has none. Export it again.")
        _fill(connection, relation, taken)
    return ()


def _shards(place: str) -> str:
    path = Path(place)
    if path.is_file() or "://" in place:
        return quoted(place)
    data = path / "data" if (path / "data").is_dir() else path  # a MEDS dataset has data/ beside metadata/
    found = sorted(str(one) for one in data.rglob("*.parquet"))
    if not found:
        raise ExtractError(
            f"{place}: must be a Parquet file or a folder of MEDS shards; no *.parquet is there. Check source.meds."
        )
    return "[" + ", ".join(map(quoted, found)) + "]"


def _columns(found: dict[str, str], renamed: dict[str, str], place: str) -> dict[str, str]:
    """Return each standard column's expression."""
    taken = {}
    for name in (*NEEDED, *OPTIONAL):
        actual = found.get(renamed.get(name, name).lower())
        if actual is not None:
            taken[name] = identifier(actual)
        elif name in NEEDED or name in renamed:
            raise ExtractError(
                f"{place}: must have the column '{renamed.get(name, name)}'; it is absent.{nearest(name, found)} "
                f"Where it has another name, say so: source.columns: {{{name}: ...}}."
            )
        else:
            taken[name] = f"NULL::{OPTIONAL[name]}"
    return taken


def _fill(connection: DuckDBPyConnection, relation: str, taken: dict[str, str]) -> None:
    subject, time = f"CAST({taken['subject_id']} AS BIGINT)", f"CAST({taken['time']} AS TIMESTAMP)"
    code, value = f"CAST({taken['code']} AS VARCHAR)", f"CAST({taken['numeric_value']} AS DOUBLE)"
    connection.execute(f"""
        INSERT INTO events SELECT subject, time, greatest(time, coalesce(recorded, time)), 'event', code, NULL, value, unit
        FROM (SELECT {subject} AS subject, {time} AS time, CAST({taken["recorded_time"]} AS TIMESTAMP) AS recorded,
                     {code} AS code, CASE WHEN isfinite({value}) THEN {value} END AS value,
                     CAST({taken["unit"]} AS VARCHAR) AS unit FROM {relation})
        WHERE time IS NOT NULL AND code NOT LIKE 'MEDS_BIRTH%'
    """)
    connection.execute(f"""
        INSERT INTO persons
        SELECT {subject}, min({time}) FILTER ({code} LIKE 'MEDS_BIRTH%'), min({time}) FILTER ({code} LIKE 'MEDS_DEATH%'),
               {_static(code, time, "SEX|GENDER")}, {_static(code, time, "RACE")}, {_static(code, time, "ETHNICITY")}
        FROM {relation} GROUP BY 1
    """)
    connection.execute("INSERT INTO periods SELECT subject, min(time), max(time) FROM events GROUP BY subject")


def _static(code: str, time: str, begins: str) -> str:
    text = f"regexp_extract({code}, '^({begins})//(.*)$', 2)"
    return f"min({text}) FILTER ({time} IS NULL AND regexp_matches({code}, '^({begins})//'))"
