"""Cases from outside samplers: TVAE and CTGAN of package ctgan, and imbalanced-learn's ADASYN, on typed tables.

None of them takes missing cells. They are filled, beside a 0/1 column that says where, and are missing again in the synthetic
rows where that column says so: otherwise a classifier could tell synthetic rows by their completeness.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from imblearn.over_sampling import ADASYN

MISSING = "missing"


def ctgan_cases(kind: str, cases: pd.DataFrame, *, n: int, seed: int, **options: object) -> pd.DataFrame:
    """Return ``n`` rows like ``cases``, made by a generator that was trained on them alone, with the package's defaults.

    Args:
        kind: ``tvae`` or ``ctgan``.
        cases: typed table of rare cases.
        n: how many to make.
        seed: for training and drawing.
        options: to the generator's constructor, in place of its defaults.
    """
    coded, discrete = to_ctgan(cases)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated imports; mixtures of numeric columns that did not converge
        import ctgan

        model = {"tvae": ctgan.TVAE, "ctgan": ctgan.CTGAN}[kind](enable_gpu=False, **options)
        model.set_random_state(seed)
        model.fit(coded, discrete)
        made = model.sample(n)
    return from_ctgan(made, cases)


def to_ctgan(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows as the package takes them, and the names of the discrete columns.

    A missing level is a level of its own. A missing number takes the column's median.
    """
    out: dict[str, object] = {}
    discrete = []
    for j, name in enumerate(rows):
        column = rows[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            out[f"x{j}"] = column.cat.codes.astype(str).to_numpy(dtype=object)
            discrete.append(f"x{j}")
            continue
        missing = column.isna()
        out[f"x{j}"] = column.fillna(0.0 if missing.all() else column.median()).to_numpy()
        if missing.any():
            out[f"x{j} {MISSING}"] = missing.astype(int).astype(str).to_numpy(dtype=object)
            discrete.append(f"x{j} {MISSING}")
    return pd.DataFrame(out), discrete


def from_ctgan(made: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return rows that the package made with the columns and dtypes of ``like``; whole numbers stay whole."""
    out: dict[str, object] = {}
    for j, name in enumerate(like):
        cells = made[f"x{j}"]
        if isinstance(like[name].dtype, pd.CategoricalDtype):
            out[name] = pd.Categorical.from_codes(cells.astype(int).to_numpy(), dtype=like[name].dtype)
            continue
        values = cells.to_numpy(dtype=np.float64)
        if (like[name].dropna() % 1 == 0).all():
            values = np.round(values)
        if f"x{j} {MISSING}" in made:
            values = np.where(made[f"x{j} {MISSING}"].astype(int) == 1, np.nan, values)
        out[name] = values
    return pd.DataFrame(out)


def adasyn_applies(features: pd.DataFrame) -> bool:
    """Say whether every column can be interpolated: a number, ordered levels, or two levels at most."""
    levels = [features[name].cat for name in features.select_dtypes("category")]
    return all(column.ordered or len(column.categories) <= 2 for column in levels)


def adasyn_cases(features: pd.DataFrame, event: np.ndarray, *, seed: int) -> pd.DataFrame:
    """Return ADASYN's cases, about as many as the classes differ by; levels are interpolated as ranks and rounded.

    Args:
        features: typed table of the fitting rows, to which ``adasyn_applies``.
        event: outcome in {0, 1}.
        seed: for what is drawn.
    Source: He et al. 2008, doi 10.1109/IJCNN.2008.4633969, as implemented in imbalanced-learn, with its defaults.
    """
    columns = [_numbers(features[name]) for name in features]
    values = np.column_stack(columns)
    missing = np.isnan(values)
    fill = np.array([_middle(features[name], column) for name, column in zip(features, columns, strict=True)])
    filled = np.where(missing, fill, values)
    scale = np.where(filled.std(axis=0) > 0, filled.std(axis=0), 1.0)
    gaps = np.flatnonzero(missing[event == 1].any(axis=0))
    coded = np.column_stack([filled / scale, missing[:, gaps]])
    table, _ = ADASYN(random_state=seed).fit_resample(coded, event)
    made = table[len(event) :]
    absent = np.zeros((len(made), values.shape[1]), dtype=bool)
    absent[:, gaps] = made[:, values.shape[1] :] >= 0.5
    numbers = np.where(absent, np.nan, made[:, : values.shape[1]] * scale)
    return pd.DataFrame({name: _restored(numbers[:, j], features[name]) for j, name in enumerate(features)})


def _numbers(column: pd.Series) -> np.ndarray:
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.to_numpy(dtype=np.float64)
    codes = column.cat.codes.to_numpy().astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


def _middle(column: pd.Series, numbers: np.ndarray) -> float:
    """Return what fills missing cells: the median, of two levels the more frequent one."""
    seen = numbers[~np.isnan(numbers)]
    if not len(seen):
        return 0.0
    if isinstance(column.dtype, pd.CategoricalDtype):
        return (
            float(np.bincount(seen.astype(int)).argmax()) if len(column.cat.categories) <= 2 else float(round(np.median(seen)))
        )
    return float(np.median(seen))


def _restored(numbers: np.ndarray, like: pd.Series) -> object:
    if isinstance(like.dtype, pd.CategoricalDtype):
        codes = np.where(np.isnan(numbers), -1, np.rint(numbers)).astype(int)
        return pd.Categorical.from_codes(codes, dtype=like.dtype)
    return np.round(numbers) if (like.dropna() % 1 == 0).all() else numbers
