"""A cohort and its split as files, and synthetic rows as the table that users see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.arrays import Array, BoolArray, IntArray
from mgvae.cohort.build import Cohort
from mgvae.cohort.column_reader import read_by_column
from mgvae.cohort.follow_up import FollowUp
from mgvae.results.cohort import FlowStep

FEATURES, SUBJECTS = "features.parquet", "subjects.parquet"
KNOWN = "known_after"  # column of subjects: days until the outcome was known
LOST, LOST_FILE = ("lost", "lost_group", "lost_held", "lost_day"), "lost.parquet"


def save_cohort(folder: Path, cohort: Cohort, test: Array) -> None:
    """Write a cohort and its test part, bool ``(n,)``, into ``folder``."""
    cohort.features.to_parquet(folder / FEATURES)
    cohort.subgroups.to_parquet(folder / "subgroups.parquet")
    subjects = pd.DataFrame({"subject": cohort.subject.astype(str), "group": cohort.group, "event": cohort.event, "test": test})
    subjects["group_name"] = pd.Series(cohort.group_name, dtype="str")
    if cohort.index_date is not None:
        subjects["index_date"] = cohort.index_date.to_numpy()
    if cohort.follow_up is not None:
        subjects[KNOWN], subjects["weight"] = cohort.follow_up.known, cohort.weight
        lost = {name: getattr(cohort.follow_up, name) for name in LOST}
        pd.DataFrame({name: values for name, values in lost.items() if values is not None}).to_parquet(folder / LOST_FILE)
    subjects.to_parquet(folder / SUBJECTS)
    (folder / "flow.json").write_text(json.dumps([step.model_dump() for step in cohort.flow]), encoding="utf-8")


def load_labels(folder: Path) -> tuple[BoolArray, IntArray, BoolArray]:
    """Return outcome, group and whether held out, each ``(n,)``, of a cohort that `save_cohort` wrote; nothing else is read."""
    found = pd.read_parquet(folder / SUBJECTS, columns=["event", "group", "test"])
    return found["event"].to_numpy(bool), found["group"].to_numpy(np.int64), found["test"].to_numpy(bool)


def load_cohort(folder: Path, *, features: bool = True) -> tuple[Cohort, Array]:
    """Return the cohort and its test part, bool ``(n,)``, that `save_cohort` wrote.

    Args:
        folder: where it lies.
        features: whether the predictors are read; else the table has its rows and no column.
    """
    subjects = pd.read_parquet(folder / SUBJECTS)
    steps = json.loads((folder / "flow.json").read_text(encoding="utf-8"))
    cohort = Cohort(
        features=read_by_column(folder / FEATURES) if features else pd.DataFrame(index=subjects.index),
        event=subjects["event"].to_numpy(bool),
        subject=subjects["subject"].to_numpy(object),
        group=subjects["group"].to_numpy(np.int64),
        group_name=subjects["group_name"].astype(object).where(subjects["group_name"].notna(), None).to_numpy(object),
        # a table without columns is read without rows
        subgroups=pd.read_parquet(folder / "subgroups.parquet").reindex(subjects.index),
        index_date=subjects.get("index_date"),
        flow=tuple(FlowStep(**step) for step in steps),
        follow_up=_follow_up(folder, subjects),
        weight=subjects["weight"].to_numpy(float) if "weight" in subjects else None,
    )
    return cohort, subjects["test"].to_numpy(bool)


def _follow_up(folder: Path, subjects: pd.DataFrame) -> FollowUp | None:
    if KNOWN not in subjects:
        return None
    lost = pd.read_parquet(folder / LOST_FILE)
    return FollowUp(
        known=subjects[KNOWN].to_numpy(float),
        group=subjects["group"].to_numpy(np.int64),
        **{name: lost[name].to_numpy() if name in lost else None for name in LOST},  # type: ignore[arg-type]
    )
