"""Write a study from event tables: extract, dictionary, cohort.yaml and the attrition."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from mgvae.config.attrition import AttritionStep
from mgvae.config.reviews import open_reviews
from mgvae.config.source import Source, load_source
from mgvae.config.yaml_reader import read_yaml
from mgvae.ehr.cohort import AGE, DIED, LOST, MICROSECONDS_A_DAY, CohortBuilder
from mgvae.ehr.database import database, number, rows
from mgvae.ehr.meds import read_meds
from mgvae.ehr.omop import read_omop
from mgvae.ehr.predicates import Predicates
from mgvae.ehr.predictors import Predictor, PredictorBuilder
from mgvae.ehr.study_files import BUILT, COHORT, EXTRACT, digest_of, replace_files, write_json
from mgvae.errors import ConfigError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DICTIONARY = "dictionary.yaml"
LABELS = "labels.parquet"  # the cohort as MEDS labels, for the tools of MEDS
ROW, SUBJECT, TIME, OUTCOME = "row_id", "subject_id", "prediction_time", "outcome"
FOLLOWED = "follow_up_days"  # to the event, death or the end of observation
STATUS = f"CASE WHEN event THEN 1 WHEN {DIED} THEN 2 ELSE 0 END"
LAST = f"CASE WHEN event THEN event_time WHEN {DIED} THEN greatest(death, time) ELSE observed_to END"
DEMOGRAPHICS = ("sex", "race", "ethnicity")
MOST_LEVELS = 50


@dataclass(frozen=True)
class Built:
    """A study as built.

    Attributes:
        folder: where its files are.
        attrition: rows, subjects and outcomes after each step.
        predictors: how many columns it has.
        remarks: what a person must know of the event tables.
    """

    folder: Path
    attrition: tuple[AttritionStep, ...]
    predictors: int
    remarks: tuple[str, ...]


def build_study(cohort: Path, out: Path) -> Built:
    """Build the extract that the section `source` of ``cohort`` asks for; write the study to ``out``.

    All files are written or none; what an earlier build wrote there is replaced.

    Raises:
        ConfigError: the section is absent or wrong, or the folder cannot be written.
        DataError: the tables cannot be read, or nobody is left.
    """
    source = load_source(cohort)
    if source is None:
        raise ConfigError(f"{cohort}: must have the section source: which event tables, and what is asked of them.")
    with replace_files(out) as place, tempfile.TemporaryDirectory(dir=place) as work, database(Path(work)) as connection:
        return _build(connection, source, cohort, place, out)


def _build(connection: DuckDBPyConnection, source: Source, cohort: Path, place: Path, out: Path) -> Built:
    remarks = (read_omop if source.omop is not None else read_meds)(connection, source)
    predicates = Predicates(connection, source, cohort.parent)
    chosen = CohortBuilder(connection, source, predicates)
    chosen.build()
    builder = PredictorBuilder(connection, source, predicates)
    predictors = builder.build()
    people = _demographics(connection) if source.predictors.demographics else Demographics(levels={}, ages=False)
    _write_extract(connection, builder, predictors, people, place / EXTRACT, followed=source.censoring == "ipcw")
    _write_labels(connection, place / LABELS)
    write_json(place / DICTIONARY, _dictionary(source, predictors, people))
    write_json(place / COHORT, _cohort(source, cohort, tuple(chosen.steps)), comments=open_reviews(cohort))
    write_json(place / BUILT, {"digest": source_digest(source, cohort), "remarks": remarks, "predictors": len(predictors)})
    return Built(out, tuple(chosen.steps), len(predictors), remarks)


@dataclass(frozen=True)
class Demographics:
    """What is known of persons and differs between them.

    Attributes:
        levels: the levels of each column.
        ages: whether age at the prediction is known.
    """

    levels: dict[str, list[str]]
    ages: bool


def _demographics(connection: DuckDBPyConnection) -> Demographics:
    levels = {}
    for name in DEMOGRAPHICS:
        query = f"SELECT DISTINCT {name} FROM persons JOIN cohort USING (subject) WHERE {name} IS NOT NULL ORDER BY 1"
        found = [str(row[0]) for row in rows(connection, query)]
        if 2 <= len(found) <= MOST_LEVELS:
            levels[name] = found
    return Demographics(levels, ages=number(connection, f"SELECT count(DISTINCT {AGE}) FROM cohort") > 1)


def _write_extract(
    connection: DuckDBPyConnection,
    builder: PredictorBuilder,
    predictors: tuple[Predictor, ...],
    known: Demographics,
    path: Path,
    *,
    followed: bool,
) -> None:
    days = f", (epoch_us({LAST}) - epoch_us(time)) / {MICROSECONDS_A_DAY} AS {FOLLOWED}" if followed else ""
    status = STATUS if followed else "event"
    age = f", {AGE} AS age" if known.ages else ""
    people = ", ".join(["", *(f"p.{name}" for name in known.levels)])
    query = f"""
        SELECT c.subject || '@' || replace(CAST(c.time AS VARCHAR), ' ', 'T') AS {ROW}, CAST(c.subject AS VARCHAR) AS {SUBJECT},
               c.time AS {TIME}, CAST({status} AS TINYINT) AS {OUTCOME}{days}{age}{people}
        FROM cohort c LEFT JOIN (SELECT subject, {", ".join(DEMOGRAPHICS)} FROM persons) p USING (subject)
        ORDER BY row_number
    """
    own = connection.sql(query).to_arrow_table()
    writer, at = None, 0
    try:
        for block in builder.blocks(predictors):
            table = own.slice(at, len(block))
            at += len(block)
            for column, one in enumerate(predictors):
                kind = pa.int8() if one.aggregation == "any" else pa.float32()
                table = table.append_column(one.name, pa.array(block[:, column], from_pandas=True).cast(kind, safe=False))
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


def _write_labels(connection: DuckDBPyConnection, path: Path) -> None:
    """Write who is asked, when, and the answer where it is known, in the label schema of MEDS."""
    columns = f"subject AS subject_id, time AS prediction_time, CASE WHEN {LOST} THEN NULL ELSE event END AS boolean_value"
    query = f"SELECT * FROM (SELECT {columns} FROM cohort ORDER BY row_number) WHERE boolean_value IS NOT NULL"
    parquet.write_table(connection.sql(query).to_arrow_table(), path)


def _dictionary(source: Source, predictors: tuple[Predictor, ...], people: Demographics) -> dict[str, Any]:
    columns: dict[str, Any] = {
        ROW: {"role": "identifier"},
        SUBJECT: {"role": "identifier"},
        TIME: {"kind": "date", "role": "excluded"},
        OUTCOME: {"kind": "binary", "role": "excluded", "label": source.outcome.label or source.outcome.events},
    }
    if source.censoring == "ipcw":
        columns[OUTCOME] |= {"kind": "categorical", "categories": [0, 1, 2]}  # 2: dead, without the event
        columns[FOLLOWED] = {"kind": "continuous", "unit": "days", "role": "excluded"}
    if people.ages:
        columns["age"] = {"kind": "continuous", "unit": "years", "label": "Age at the prediction"}
    for name, values in people.levels.items():
        kind = "binary" if len(values) == 2 else "categorical"
        role = ["feature", "subgroup"] if name == "sex" else "feature"
        columns[name] = {"kind": kind, "role": role, "label": name.capitalize(), "categories": values}
    for one in predictors:
        kind = {"any": "binary", "count": "count"}.get(one.aggregation, "continuous")
        unit = {"days_since": "days"}.get(one.aggregation, one.unit)
        columns[one.name] = {"kind": kind, "label": one.label, **({"unit": unit} if unit else {}), "max_missing": 1.0}
    return {"columns": columns}


def _cohort(source: Source, cohort: Path, steps: tuple[AttritionStep, ...]) -> dict[str, Any]:
    values = {key: value for key, value in read_yaml(cohort).items() if key != "source"}
    several = source.index.first_only is False
    horizon = source.outcome.end_days
    return {
        **values,
        "extract": EXTRACT,
        "dictionary": DICTIONARY,
        "subject_id": ROW if several else SUBJECT,
        **({"group": SUBJECT} if several else {}),
        "index_date": TIME,
        **({"horizon_days": max(1, round(horizon))} if horizon is not None else {}),
        "outcome": {
            **{"column": OUTCOME, "event": 1, "label": source.outcome.label or source.outcome.events},
            **({"follow_up": FOLLOWED, "competing": [2]} if source.censoring == "ipcw" else {}),
        },
        "attrition": [step.model_dump(exclude_none=True) for step in steps],
    }


def source_digest(source: Source, cohort: Path) -> str:
    """Return a digest of the configuration, of its lists of codes and of the state of the source's files."""
    place = Path(str(source.omop or source.meds))
    files = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
    lists = [one.file for predicate in source.predicates.values() for one in (predicate.code, predicate.source_code)
             if one is not None and not isinstance(one, str) and one.file is not None]  # fmt: skip
    texts = [(cohort.parent / name).read_text(encoding="utf-8-sig") for name in lists]
    return digest_of(cohort, files, *texts)
