"""The stage drift: how this extract differs from that of the last accepted run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from flows.stages import Inputs, Stage
from mgvae.config import CohortConfig


def measure(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compare what stage validate made of both extracts, ``reference`` and ``validate``: ``drift.json``."""
    from validation.drift import Table, drift

    before, after = (_told(inputs[name]) for name in ("reference", "validate"))
    old, new = (pd.read_parquet(inputs[name] / "frame.parquet") for name in ("reference", "validate"))
    found = drift(Table(old, before.get("stored", {})), Table(new, after.get("stored", {})), config)
    facts = {"extract_sha256": before["sha256"], **found.to_json()}
    (folder / "drift.json").write_text(json.dumps(facts, allow_nan=False), encoding="utf-8")


def _told(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "validation.json").read_text(encoding="utf-8")))


def _reads(config: CohortConfig) -> dict[str, Any]:
    keys = {"subject_id", "group", "index_date", "outcome", "columns", "drift"}
    return config.model_dump(mode="json", include=keys, exclude={"drift": {"against"}})


DRIFT = Stage("drift", measure, ("validate", "reference"), _reads, ("validation.drift",))
