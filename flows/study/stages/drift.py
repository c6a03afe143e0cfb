"""The stage drift: how this extract differs from that of the last accepted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from flows.study.stages.stage import DRIFT, FRAME, VALIDATION, Inputs, Stage, read_result, write_result
from mgvae.config.study import CohortConfig
from mgvae.results.cohort import ExtractRecord
from mgvae.results.drift import DriftRecord


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare the artifacts ``reference`` and ``validate``; write ``drift.json``."""
    from validation.drift import Table, drift
    from validation.joint_drift import newcomers
    from validation.slow_drift import profile

    before, after = (read_result(inputs[name] / VALIDATION, ExtractRecord) for name in ("reference", "validate"))
    old, new = (pd.read_parquet(inputs[name] / FRAME) for name in ("reference", "validate"))
    found = drift(Table(old, before.stored), Table(new, after.stored), config)
    profiles = {
        "before": profile(old, np.ones(len(old), dtype=bool), config, before.sha256),
        "profile": profile(new, newcomers(old, new, config), config, after.sha256),
    }
    write_result(folder / DRIFT, DriftRecord(**{**dict(found), **profiles}, extract_sha256=before.sha256))


def _reads(config: CohortConfig) -> dict[str, Any]:
    keys = {"subject_id", "group", "index_date", "outcome", "columns", "drift"}
    return config.model_dump(mode="json", include=keys, exclude={"drift": {"against"}})


STAGE = Stage("drift", make, needs=("validate", "reference"), reads=_reads)
