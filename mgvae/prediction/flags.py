"""Flags of rows: what a person should know before trusting a risk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from mgvae.arrays import Array, BoolArray
from mgvae.classifiers.region import Region
from mgvae.cohort.rules import rules_within
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.extract.days import PLAUSIBLE_YEARS

Kind = Literal["unreadable", "range", "level", "rule", "index_date", "far"]


@dataclass(frozen=True)
class Flag:
    """Rows that share a flag.

    Attributes:
        kind: unreadable (a cell is no number or date), range (outside the dictionary's range), level (one that the dictionary
            lacks, or that no training patient had), rule (a rule between columns is broken), index_date (none is given), far
            (the row lies far from all training patients).
        about: column or rule; empty for index_date and far.
        rows: bool ``(N,)``.
    """

    kind: Kind
    about: str
    rows: BoolArray

    @property
    def text(self) -> str:
        """The flag in words."""
        return f"{self.kind}: {self.about}" if self.about else self.kind


def cell_flags(config: CohortConfig, frame: pd.DataFrame, unreadable: pd.DataFrame, region: Region | None) -> list[Flag]:
    """Return the flags of predictors' cells and of rules between columns that any row has.

    Args:
        config: the study.
        frame, unreadable: see `mgvae.extract.read.Extract`.
        region: of the training patients.
    """
    return [flag for flag in _cells(config, frame, unreadable, region) if flag.rows.any()]


def _cells(config: CohortConfig, frame: pd.DataFrame, unreadable: pd.DataFrame, region: Region | None) -> Iterator[Flag]:
    for name, column in config.columns.features.items():
        cells = frame[name]
        if name in unreadable:
            yield Flag("unreadable", name, unreadable[name].to_numpy(bool))
        if column.kind in LEVEL_KINDS:
            seen = {canonical(level) for level in column.levels} - set(region.unseen.get(name, []) if region else [])
            yield Flag("level", name, (cells.notna() & ~cells.isin(seen)).to_numpy(bool))
        elif column.kind == "date":
            implausible = ~cells.dt.year.between(*PLAUSIBLE_YEARS) & cells.notna()
            late = cells.dt.floor("D") > frame[config.index_date].dt.floor("D")  # dates have day resolution
            yield Flag("range", name, (implausible | late).to_numpy(bool))
        else:
            values, (low, high) = cells.to_numpy(float), column.bounds
            outside = (values < low) | (values > high)
            yield Flag("range", name, outside | (values % 1 > 0) if column.kind == "count" else outside)
    rules = rules_within(config.columns, frame.columns)
    broken = rules.broken(frame)
    for at, rule in enumerate(rules.rules):
        yield Flag("rule", rule.text, broken[:, at])
    if config.index_date is not None:
        yield Flag("index_date", "", frame[config.index_date].isna().to_numpy(bool))


def flag_texts(flags: list[Flag], rows: int) -> Array:
    """Return the flags of each row as one text, parted by semicolons; object ``(N,)``."""
    texts = np.full(rows, "", dtype=object)
    for flag in flags:
        at = np.flatnonzero(flag.rows)
        texts[at] = [f"{before}; {flag.text}" if before else flag.text for before in texts[at]]
    return texts
