"""The stage drift: how this extract differs from that of the last accepted run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from flows.study.stages.stage import Inputs, Stage, read_json, write_json
from mgvae.config.study import CohortConfig


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare what stage validate made of both extracts, ``reference`` and ``validate``: ``drift.json``."""
    from validation.drift import Table, drift

    before, after = (read_json(inputs[name] / "validation.json") for name in ("reference", "validate"))
    old, new = (pd.read_parquet(inputs[name] / "frame.parquet") for name in ("reference", "validate"))
    found = drift(Table(old, before.get("stored", {})), Table(new, after.get("stored", {})), config)
    facts = {"extract_sha256": before["sha256"], **found.to_json()}
    write_json(folder / "drift.json", facts)


def _reads(config: CohortConfig) -> dict[str, Any]:
    keys = {"subject_id", "group", "index_date", "outcome", "columns", "drift"}
    return config.model_dump(mode="json", include=keys, exclude={"drift": {"against"}})


STAGE = Stage("drift", make, needs=("validate", "reference"), reads=_reads)
