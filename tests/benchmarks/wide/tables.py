"""Wide, sparse tables: simulated children with 2,000 predictors, and diabetes130 with a column for each code and drug."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.cohort.rows import Rows
from mgvae.simulation.code_book import code_book
from mgvae.simulation.records import COLUMNS, FAMILY, blocks
from tests.benchmarks.oversamplers.cohorts import (
    DIABETES_DIAGNOSES,
    DIABETES_DIED,
    DIABETES_NUMBERS,
    DIABETES_ORDERED,
    file_of,
    first_encounters,
    known_at_admission,
    typed,
)

NAMES = ("autism", "diabetes130")
CHILDREN = 50_000
RAREST = 5  # patients below whom a code of diabetes130 has no column
DOSES = ("Steady", "Up", "Down")
BINARY = pd.CategoricalDtype(["0", "1"])


@dataclass(frozen=True, eq=False)
class WideTable:
    """A table with N rows, of which the codes are kept as numbers until they are needed.

    Attributes:
        name: of the table.
        others: the predictors beside the codes, typed as a cohort's features, ``(N, Q)``.
        code_names: of the P codes.
        codes: int8 in {0, 1}, ``(N, P)``.
        event: int64 in {0, 1}, ``(N,)``.
        group: int64 ``(N,)``: rows of one group stay on one side of a split.
    """

    name: str
    others: pd.DataFrame
    code_names: tuple[str, ...]
    codes: np.ndarray
    event: np.ndarray
    group: np.ndarray

    def rows(self, at: np.ndarray) -> Rows:
        """Return the rows at positions, codes as two levels each, as the library reads binary columns."""
        codes = {
            name: pd.Categorical.from_codes(self.codes[at, place], dtype=BINARY) for place, name in enumerate(self.code_names)
        }
        features = pd.concat([self.others.iloc[at].reset_index(drop=True), pd.DataFrame(codes)], axis=1)
        return Rows(features, self.event[at], self.group[at])


def load(name: str, data: Path) -> WideTable:
    """Return a table of ``NAMES``.

    Raises:
        ValueError: the name is unknown.
        FileNotFoundError: the data set is not in the folder.
    """
    if name == "autism":
        return simulated(CHILDREN)
    if name == "diabetes130":
        return diabetes130(data)
    raise ValueError(f"Tables must be among {', '.join(NAMES)}; got {name}.")


def simulated(n: int, *, seed: int = 0) -> WideTable:
    """Return ``n`` simulated children."""
    parts = list(blocks(n, seed=seed, prevalence=0.02))
    others = {}
    for name, column in COLUMNS.items():
        cells = np.concatenate([part.columns[name] for part in parts])
        if column.kind == "binary":
            others[name] = pd.Categorical.from_codes(np.nan_to_num(cells, nan=-1).astype(np.int8), dtype=BINARY)
        elif column.levels:
            others[name] = pd.Categorical(cells, categories=list(column.levels), ordered=column.kind == "ordinal")
        else:
            others[name] = cells.astype(np.float64)
    return WideTable(
        "autism",
        pd.DataFrame(others),
        code_book().names,
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.children.event for part in parts]),
        np.concatenate([part.special[FAMILY] for part in parts]),
    )


def diabetes130(data: Path) -> WideTable:
    """Return death in a patient's first encounter, all 71,518 of them.

    A code is a diagnosis in any of the three places, by the part before the point and also as written, or a drug that is
    taken, a column for each change of dose. Codes of fewer than ``RAREST`` patients have no column.
    """
    rows = first_encounters(file_of(data, "diabetes130", "dataset_diabetes.zip"))
    died = rows["discharge_disposition_id"] == DIABETES_DIED
    frame = known_at_admission(rows)
    drugs = [name for name in frame if set(frame[name].dropna().unique()) <= {"No", *DOSES}]
    written = pd.concat([frame[name] for name in DIABETES_DIAGNOSES]).dropna()
    found = {}
    for cells in (written.str.partition(".")[0], written[written.str.contains(".", regex=False)]):
        found |= {f"icd9 {code}": np.unique(places) for code, places in cells.groupby(cells).groups.items()}
    for name in drugs:
        found |= {f"{name} {dose.lower()}": np.flatnonzero(frame[name] == dose) for dose in DOSES}
    kept = {name: at for name, at in found.items() if RAREST <= len(at) <= len(frame) - RAREST}
    codes = np.zeros((len(frame), len(kept)), dtype=np.int8)
    for place, at in enumerate(kept.values()):
        codes[at, place] = 1
    rest = frame.drop(columns=[*DIABETES_DIAGNOSES, *drugs])
    others = typed("diabetes130", rest, died, numbers=DIABETES_NUMBERS, ordered=DIABETES_ORDERED).features
    return WideTable("diabetes130", others, tuple(kept), codes, died.to_numpy(np.int64), np.arange(len(frame)))
