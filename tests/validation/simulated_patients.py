"""A simulated population from which majority patients and cases are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mgvae.config.study import CohortConfig

LABS, COUNTS, DIAGNOSES, REGIONS = 8, 2, 3, ("north", "east", "south", "west")


def population_config(**settings):
    columns = {"patient": {"kind": "count", "role": "identifier"}, "index_day": {"kind": "date", "role": "excluded"}}
    columns["died"] = {"kind": "binary", "role": "excluded"}
    columns |= {f"lab{i}": {"kind": "continuous", "range": [-50, 500], "unit": "mmol/l"} for i in range(LABS)}
    columns |= {f"visits{i}": {"kind": "count"} for i in range(COUNTS)}
    columns |= {f"diagnosis{i}": {"kind": "binary"} for i in range(DIAGNOSES)}
    columns["region"] = {"kind": "categorical", "categories": list(REGIONS)}
    columns["stage"] = {"kind": "ordinal", "categories": [1, 2, 3]}
    columns["seen"] = {"kind": "date"}
    values = {"study": "simulated", "extract": "x.csv", "subject_id": "patient", "index_date": "index_day"}
    values |= {"outcome": {"column": "died", "expected_prevalence": (0.01, 0.05)}, "columns": {"columns": columns}}
    return CohortConfig.model_validate(values | settings)


def draw_patients(rng: np.random.Generator, n: int, *, cases: bool, shift: float = 0.9) -> pd.DataFrame:
    """Draw n patients typed as ``Cohort.features``.

    Cases differ in the means of some columns and in one variance.
    """
    mixing = np.tril(np.full((LABS, LABS), 0.3)) + 0.7 * np.eye(LABS)
    labs = rng.normal(size=(n, LABS)) @ mixing.T
    if cases:
        labs[:, :3] += shift
        labs[:, 3] *= 1 + shift
    labs[:, 5:] = np.exp(0.7 * labs[:, 5:])
    missing = rng.random((n, LABS)) < 0.06 * np.arange(LABS)
    table = {f"lab{i}": pd.Series(np.where(missing[:, i], np.nan, labs[:, i].round(3))) for i in range(LABS)}
    table |= {f"visits{i}": pd.Series(rng.poisson(1 + 0.5 * cases, n).astype(float)) for i in range(COUNTS)}
    for i in range(DIAGNOSES):
        table[f"diagnosis{i}"] = _levels(rng.random(n) < 0.05 + 0.1 * i + 0.05 * cases, ["0", "1"])
    table["region"] = _levels(rng.integers(-1, 4, n), list(REGIONS))
    table["stage"] = _levels(rng.integers(0, 3, n), ["1", "2", "3"], ordered=True)
    table["seen"] = pd.Series(-rng.integers(0, 900, n).astype(float))
    return pd.DataFrame(table)


def as_extract(rng: np.random.Generator, features: pd.DataFrame, died: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the extract's frame and unreadable cells that would give these features."""
    n = len(features)
    index_day = pd.Series(pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"))
    frame = pd.DataFrame({"patient": [f"p{i}" for i in range(n)], "index_day": index_day})
    frame["died"] = pd.Series(died.astype(int).astype(str)).astype("str")
    for name, cells in features.items():
        frame[name] = cells.astype("str") if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    frame["seen"] = index_day + pd.to_timedelta(features["seen"], "D")
    numeric = [name for name in frame if frame[name].dtype.kind in "fM"]
    return frame, pd.DataFrame(False, index=frame.index, columns=numeric)


def _levels(codes: np.ndarray, levels: list[str], *, ordered: bool = False) -> pd.Series:
    return pd.Series(pd.Categorical.from_codes(codes.astype(int), dtype=pd.CategoricalDtype(levels, ordered=ordered)))
