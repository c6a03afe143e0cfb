"""A cohort and its split as files, and synthetic rows as the table that users see."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from mgvae.cohort import Array, Cohort, FlowStep
from mgvae.config import CohortConfig
from mgvae.dictionary import LEVEL_KINDS, Column, canonical
from mgvae.sample import Synthetic

LABEL = "Synthetic rows for training inside the study team. Not anonymous: do not release."


def save_cohort(folder: Path, cohort: Cohort, test: Array) -> None:
    """Write a cohort and its test part, bool ``(n,)``, into ``folder``."""
    cohort.features.to_parquet(folder / "features.parquet")
    cohort.subgroups.to_parquet(folder / "subgroups.parquet")
    subjects = pd.DataFrame({"subject": cohort.subject.astype(str), "group": cohort.group, "event": cohort.event, "test": test})
    subjects["group_name"] = pd.Series(cohort.group_name, dtype="str")
    if cohort.index_date is not None:
        subjects["index_date"] = cohort.index_date.to_numpy()
    subjects.to_parquet(folder / "subjects.parquet")
    (folder / "flow.json").write_text(json.dumps([asdict(step) for step in cohort.flow]), encoding="utf-8")


def load_cohort(folder: Path) -> tuple[Cohort, Array]:
    """Return the cohort and its test part, bool ``(n,)``, that `save_cohort` wrote."""
    subjects = pd.read_parquet(folder / "subjects.parquet")
    steps = json.loads((folder / "flow.json").read_text(encoding="utf-8"))
    cohort = Cohort(
        features=pd.read_parquet(folder / "features.parquet"),
        event=subjects["event"].to_numpy(bool),
        subject=subjects["subject"].to_numpy(object),
        group=subjects["group"].to_numpy(np.int64),
        group_name=subjects["group_name"].astype(object).where(subjects["group_name"].notna(), None).to_numpy(object),
        # a table without columns is read without rows
        subgroups=pd.read_parquet(folder / "subgroups.parquet").reindex(subjects.index),
        index_date=subjects.get("index_date"),
        flow=tuple(FlowStep(**step) for step in steps),
    )
    return cohort, subjects["test"].to_numpy(bool)


def save_synthetic(made: Synthetic, folder: Path) -> None:
    """Write ``features.parquet`` and ``parents.parquet``: positions among the training majority."""
    made.features.to_parquet(folder / "features.parquet")
    pd.DataFrame({"parent": made.parent}).to_parquet(folder / "parents.parquet")


def load_synthetic(folder: Path) -> Synthetic:
    """Return the synthetic cases of a synthesise artifact."""
    parents = pd.read_parquet(folder / "parents.parquet")["parent"].to_numpy()
    return Synthetic(pd.read_parquet(folder / "features.parquet"), parents)


def released(synthetic: Synthetic, config: CohortConfig, majority: Cohort) -> pd.DataFrame:
    """Return synthetic cases as users see them: the extract's units and types, with the outcome and the parent's subject id.

    Args:
        synthetic: what `mgvae.generator.synthesise` made.
        config: the study.
        majority: the majority patients that ``synthetic.parent`` counts in. A date column is the parent's index date plus days.
    """
    columns: dict[str, Any] = {"parent_id": majority.subject[synthetic.parent]}
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
