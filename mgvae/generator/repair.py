"""Repair, where a study asks for it: drop synthetic cases that are too near a patient or break a rule.

A patient is any training patient, case or majority, parent or not. Too near means: within a share of that patient's distance to
the nearest other of the same class, as in the gate on near copies. Nothing takes the place of what is dropped.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.cohort.embedding import fit_embedding, neighbour_ratios
from mgvae.errors import TrainingError
from mgvae.generator.synthetic import Synthetic
from mgvae.results.synthetic import RepairRecord


def repaired(
    made: Synthetic, majority: pd.DataFrame | None, cases: pd.DataFrame, broken: BoolArray, *, within: float
) -> Synthetic:
    """Return the synthetic cases without those that are too near a patient or ``broken``; these under ``dropped``.

    Args:
        made: synthetic cases.
        majority, cases: real rows that the generator was trained on, typed alike.
        broken: whether each case breaks a rule between columns.
        within: share of a patient's distance to the nearest other.
    Raises:
        TrainingError: no case is left.
    """
    near_case, near_majority = near_patients(made.features, majority, cases, within=within)
    drop = near_case | near_majority | broken
    if drop.all():
        raise TrainingError(
            f"Repair must leave some synthetic cases; all {len(drop):,} are too near a patient or break a rule. The generator "
            "copies its patients: train it with fewer epochs or more cases."
        )
    counts = {"near_case": near_case, "near_majority": near_majority, "broken": broken, "dropped": drop}
    record = RepairRecord(made=len(drop), within=within, **{name: int(rows.sum()) for name, rows in counts.items()})
    return replace(_taken(made, ~drop), repair=record, dropped=_taken(made, drop), remarks=(*made.remarks, *record.warning))


def near_patients(
    rows: pd.DataFrame, majority: pd.DataFrame | None, cases: pd.DataFrame, *, within: float
) -> tuple[BoolArray, BoolArray]:
    """Return which rows are too near a case, and too near a majority patient."""
    real = cases if majority is None else pd.concat([majority, cases], ignore_index=True)
    embedding = fit_embedding(real)
    made = embedding.transform(rows)
    found = [
        np.zeros(len(rows), dtype=bool)
        if patients is None
        else np.asarray(neighbour_ratios(made, embedding.transform(patients))[0] < within)
        for patients in (cases, majority)
    ]
    return found[0], found[1]


def _taken(made: Synthetic, rows: BoolArray) -> Synthetic:
    return Synthetic(made.features[rows].reset_index(drop=True), made.parent[rows], made.remarks, made.rules)
