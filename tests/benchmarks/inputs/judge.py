"""Judge how a file is read: every column as it is, or left out with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mgvae.config.dictionary import LEVEL_KINDS, NUMERIC_KINDS, Column
from mgvae.config.formats import plain_text
from mgvae.config.study import CohortConfig, load_config
from mgvae.draft.draft import Draft, draft
from mgvae.draft.yaml_text import COHORT, DICTIONARY, cohort_text, dictionary_text
from mgvae.errors import MGVAEError
from mgvae.extract.read import read_extract
from tests.benchmarks.inputs.variants import Variant

Verdict = Literal["right", "clear", "wrong", "crash"]
OUTCOME = "died"


@dataclass(frozen=True)
class Judged:
    """How an input was read, and what to say of it."""

    name: str
    verdict: Verdict
    why: str


def drafted(path: Path, folder: Path) -> tuple[Draft, CohortConfig]:
    """Return the draft of an extract and the study that its two files describe."""
    folder.mkdir(parents=True, exist_ok=True)
    made = draft(str(path), outcome=OUTCOME)
    (folder / DICTIONARY).write_text(dictionary_text(made), encoding="utf-8")
    (folder / COHORT).write_text(cohort_text(made, str(path), folder), encoding="utf-8")
    return made, load_config(folder / COHORT)


def judge(variant: Variant, folder: Path) -> Judged:
    """Draft a study from a file, read the file by it, and compare with the truth."""
    try:
        made, config = drafted(variant.path, folder)
        config = _with_index_date(config, variant.names.get("admitted", "admitted"))
        extract = read_extract(config)
    except MGVAEError as error:
        return Judged(variant.name, "clear", str(error))
    except Exception as error:
        return Judged(variant.name, "crash", f"{type(error).__name__}: {error}")
    notes = {column.name: column.notes for column in made.columns}
    wrong, clear = [], []
    for column in variant.cohort.truth:
        name = variant.names.get(column, column)
        verdict = _column(name, variant.cohort.truth[column], config, extract.frame, extract.unreadable, notes.get(name, ()))
        (wrong if verdict.startswith("wrong") else clear if verdict else []).append(f"{column}: {verdict}")
    if len(extract.frame) != len(variant.cohort.truth):
        wrong.append(f"{len(extract.frame)} rows")
    return Judged(variant.name, "wrong" if wrong else "clear" if clear else "right", "; ".join(wrong or clear))


def _with_index_date(config: CohortConfig, name: str) -> CohortConfig:
    """Return the study with the date as its index date, so that it is read."""
    column = config.columns.columns.get(name)
    return config if column is None or column.kind != "date" else config.model_copy(update={"index_date": name})


def _column(
    name: str, truth: pd.Series, config: CohortConfig, frame: pd.DataFrame, unreadable: pd.DataFrame, notes: tuple[str, ...]
) -> str:
    """Return nothing where a column is read as it is, else what became of it."""
    entry = config.columns.columns.get(name)
    if entry is None:
        return "wrong: it is not there"
    if name not in frame:
        return f"left out: {'; '.join(notes)}" if notes else "wrong: left out without a reason"
    if name in unreadable and unreadable[name].any():
        return f"wrong: {int(unreadable[name].sum())} cells unreadable by the draft"
    return _compared(entry, truth, frame[name])


def _compared(entry: Column, truth: pd.Series, read: pd.Series) -> str:
    if len(truth) != len(read):
        return "wrong: another number of rows"
    if (truth.isna() != read.isna()).any():
        return f"wrong: missing in {int(read.isna().sum())} rows, not in {int(truth.isna().sum())}"
    known = truth.notna().to_numpy()
    if pd.api.types.is_datetime64_any_dtype(truth):
        same = entry.kind == "date" and (truth[known].dt.date.to_numpy() == read[known].dt.date.to_numpy()).all()
    elif truth.dtype.kind == "f":
        numeric = entry.kind in NUMERIC_KINDS
        same = numeric and np.allclose(truth[known], read[known].astype(float), rtol=1e-6)  # float32 keeps seven digits
    elif truth.dtype.kind == "i":
        same = (truth.astype(str).to_numpy() == read.to_numpy()).all()
    elif "identifier" in entry.role:
        same = (truth[known].to_numpy() == read[known].to_numpy()).all()
    else:
        texts = [plain_text(text) for text in truth[known]]
        same = entry.kind in LEVEL_KINDS and texts == read[known].tolist()
    return "" if same else f"wrong: other values, of kind {entry.kind}"
