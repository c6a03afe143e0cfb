"""Synthetic rows as files and as the table that users see."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mgvae.arrays import Array
from mgvae.cohort.build import Cohort
from mgvae.config.dictionary import LEVEL_KINDS, Column, canonical
from mgvae.config.study import PARENT, CohortConfig
from mgvae.generator.synthetic import Synthetic
from mgvae.results.synthetic import RepairRecord, RuleRecord

RULES, REPAIR, DROPPED = "rules.json", "repair.json", "dropped"
LABEL = "Synthetic rows for training inside the study team. Not anonymous: do not release."


def save_synthetic(made: Synthetic, folder: Path) -> None:
    """Write features, parents (positions in the training majority), remarks, and what rules and repair took, if any."""
    made.features.to_parquet(folder / "features.parquet")
    pd.DataFrame({"parent": made.parent}).to_parquet(folder / "parents.parquet")
    (folder / "remarks.json").write_text(json.dumps(made.remarks), encoding="utf-8")
    if made.rules is not None:
        (folder / RULES).write_text(made.rules.model_dump_json(), encoding="utf-8")
    if made.repair is not None and made.dropped is not None:
        (folder / REPAIR).write_text(made.repair.model_dump_json(), encoding="utf-8")
        (folder / DROPPED).mkdir()
        save_synthetic(made.dropped, folder / DROPPED)


def load_synthetic(folder: Path) -> Synthetic:
    """Return the synthetic cases of a synthesise artifact."""
    parents = pd.read_parquet(folder / "parents.parquet")["parent"].to_numpy()
    remarks = json.loads((folder / "remarks.json").read_text(encoding="utf-8"))
    record = folder / RULES
    rules = RuleRecord.model_validate_json(record.read_text(encoding="utf-8")) if record.is_file() else None
    made = Synthetic(pd.read_parquet(folder / "features.parquet"), parents, tuple(remarks), rules)
    if not (folder / REPAIR).is_file():
        return made
    repair = RepairRecord.model_validate_json((folder / REPAIR).read_text(encoding="utf-8"))
    return replace(made, repair=repair, dropped=load_synthetic(folder / DROPPED))


def released(synthetic: Synthetic, config: CohortConfig, majority: Cohort) -> pd.DataFrame:
    """Return synthetic cases in the extract's units, with outcome and parent id.

    Args:
        synthetic: what `mgvae.generator.synthesis.synthesise` made.
        config: the study.
        majority: the majority patients that ``synthetic.parent`` counts in. A date column is the parent's index date plus days.
    """
    columns: dict[str, Any] = {PARENT: majority.subject[synthetic.parent]}
    for name, column in config.columns.features.items():
        columns[name] = _in_units(synthetic.features[name], column, majority, synthetic.parent)
    columns[config.outcome.column] = config.outcome.event
    return pd.DataFrame(columns)


def write_labelled(table: pd.DataFrame, path: Path, *, note: str) -> None:
    """Write a table as Parquet whose metadata say what the rows are."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    metadata = {**(arrow.schema.metadata or {}), b"mgvae.label": LABEL.encode(), b"mgvae.note": note.encode()}
    pq.write_table(arrow.replace_schema_metadata(metadata), path, compression="zstd")


def _in_units(values: pd.Series, column: Column, majority: Cohort, parent: Array) -> Any:
    if column.kind in LEVEL_KINDS:
        spelt = {canonical(level): level for level in column.levels}
        plain = values.astype(object).map(spelt)
        return plain.astype("Int64") if all(type(level) is int for level in column.levels) else plain
    if column.kind == "date" and majority.index_date is not None:
        return majority.index_date.iloc[parent].reset_index(drop=True) + pd.to_timedelta(values, unit="D")
    return values.astype("Int64") if column.kind == "count" else values
