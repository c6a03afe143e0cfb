"""A small study on disk: an extract with every kind of column, its dictionary and a cohort.yaml whose run takes seconds."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from mgvae.config.study import CohortConfig

CANARY = "patient-0417-zebra"  # a subject id: what must not be found in a log, a message or a database

COLUMNS: dict[str, dict[str, Any]] = {
    "patient": {"role": "identifier"},
    "family": {"role": "identifier"},
    "index_day": {"kind": "date", "role": "excluded"},
    "died": {"kind": "binary", "role": "excluded", "categories": ["no", "yes"]},
    "age": {"kind": "continuous", "range": [18, 110], "unit": "years"},
    "crp": {"kind": "continuous", "range": [0, None], "unit": "mg/l", "missing_codes": [-9]},
    "visits": {"kind": "count"},
    "sex": {"kind": "binary", "role": ["feature", "subgroup"], "categories": ["f", "m"]},
    "ward": {"kind": "categorical", "categories": ["east", "north", "west"]},
    "stage": {"kind": "ordinal", "categories": [1, 2, 3, 4]},
    "first_seen": {"kind": "date"},
}
STUDY: dict[str, Any] = {
    "study": "small",
    "title": "Simulated deaths",
    "extract": "extract.csv",
    "subject_id": "patient",
    "group": "family",
    "index_date": "index_day",
    "outcome": {"column": "died", "event": "yes", "expected_prevalence": [0.01, 0.2]},
    "columns": COLUMNS,
    "training": {
        "latent_dim": 3,
        "hidden": [16],
        "pretrain_epochs": 8,
        "finetune_epochs": 8,
        "ewc_lambda": 1.0,
        "device": "cpu",
    },
    "gates": {  # eight epochs learn little: nearly anything passes, and a test that wants a failed gate sets its limit
        **{"separation_warn": 0.02, "separation_fail": 0.01, "kept_warn": 0.02, "kept_fail": 0.01},
        **{"missing_warn": 1.0, "missing_fail": 1.0, "membership_warn": 1.0, "membership_fail": 1.0},
        **{"disclosure": 1.0, "c2st_warn": 1.0, "near_copies": 0.01},
    },
    "evaluation": {
        "arms": ["none", "random_oversampling", "mgvae"],
        "classifiers": ["logistic_regression"],
        "folds": 2,
        "repeats": 1,
        "bootstrap": 50,
    },
    "instability": {"redevelopments": 10, "generated": 0},
    "learning_curve": {"shares": [0.5], "repeats": 1},
}
LONGER = {"training__pretrain_epochs": 20, "training__finetune_epochs": 20}  # for runs whose gates must pass at any seed
PLAIN = {"evaluation__arms": ["none"]}  # for whole runs that are about files and processes, not about arms
BRIEF = {"training__finetune_epochs": 4, "training__plausibility": "filtered"}  # the finished run: its gates pass at this seed


def table(n: int = 600, events: int = 40, *, seed: int = 0) -> pd.DataFrame:
    """Return an extract: older, sicker patients die; families of two; cells missing. Another seed, other patients."""
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=n)
    died = np.zeros(n, dtype=bool)
    died[np.argsort(-(severity + 0.8 * rng.normal(size=n)))[:events]] = True
    day = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
    crp = np.round(np.exp(severity + rng.normal(size=n)), 1)
    frame = pd.DataFrame(
        {
            "patient": [f"patient-{seed * 1000 + number:04d}-{'zebra' if number == 417 else 'horse'}" for number in range(n)],
            "family": np.arange(n) // 2,
            "index_day": day.strftime("%Y-%m-%d"),
            "died": np.where(died, "yes", "no"),
            "age": np.clip(np.round(60 + 12 * severity + rng.normal(size=n) * 4), 18, 110),
            "crp": pd.Series(crp.astype(str)).mask(rng.random(n) < 0.1, "-9").mask(rng.random(n) < 0.1, ""),
            "visits": rng.poisson(np.exp(severity / 2)),
            "sex": rng.choice(["f", "m"], n),
            "ward": rng.choice(["east", "north", "west"], n, p=[0.5, 0.3, 0.2]),
            "stage": np.clip(np.round(severity + 2.5), 1, 4).astype(int).astype(str),
            "first_seen": (day - pd.to_timedelta(rng.integers(0, 900, n), unit="D")).strftime("%Y-%m-%d"),
        }
    )
    frame["ward"] = frame["ward"].mask(rng.random(n) < 0.08, "")
    frame["stage"] = frame["stage"].mask(rng.random(n) < 0.08, "")
    return frame


def study(**changes: Any) -> dict[str, Any]:
    """Return cohort.yaml's content; a dotted key changes one below, such as ``gates__separation_fail=5``."""
    values = copy.deepcopy(STUDY)
    for key, value in changes.items():
        *above, last = key.split("__")
        place = values
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return values


def study_config(**changes: Any) -> CohortConfig:
    """Return the settings of a study that is not on disk; see `study`."""
    values = study(**changes)
    return CohortConfig.model_validate({**values, "columns": {"columns": values["columns"]}})


def write_study(folder: Path, frame: pd.DataFrame | None = None, **changes: Any) -> Path:
    """Write ``extract.csv`` and ``cohort.yaml`` into ``folder``; return the path of cohort.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    (table() if frame is None else frame).to_csv(folder / "extract.csv", index=False)
    path = folder / "cohort.yaml"
    writer = YAML(typ="safe")
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.default_flow_style = False
    writer.dump(study(**changes), path)
    return path
