"""A cohort and its split as files, and synthetic rows as the table that users see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.arrays import Array
from mgvae.cohort.build import Cohort
from mgvae.results.cohort import FlowStep


def save_cohort(folder: Path, cohort: Cohort, test: Array) -> None:
    """Write a cohort and its test part, bool ``(n,)``, into ``folder``."""
    cohort.features.to_parquet(folder / "features.parquet")
    cohort.subgroups.to_parquet(folder / "subgroups.parquet")
    subjects = pd.DataFrame({"subject": cohort.subject.astype(str), "group": cohort.group, "event": cohort.event, "test": test})
    subjects["group_name"] = pd.Series(cohort.group_name, dtype="str")
    if cohort.index_date is not None:
        subjects["index_date"] = cohort.index_date.to_numpy()
    subjects.to_parquet(folder / "subjects.parquet")
    (folder / "flow.json").write_text(json.dumps([step.model_dump() for step in cohort.flow]), encoding="utf-8")


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
