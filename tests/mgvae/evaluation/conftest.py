from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.rows import Rows
from mgvae.generator.synthetic import Synthetic


@dataclass
class Seen:
    """Arguments, parents and remarks of a stand-in generator."""

    tables: list[pd.DataFrame] = field(default_factory=list)
    parents: list[pd.DataFrame] = field(default_factory=list)
    given: list[SimpleNamespace] = field(default_factory=list)
    remarks: tuple[str, ...] = ()


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Replace the generator by a stand-in that keeps its arguments.

    It copies majority rows with a shifted severity.
    """
    seen = Seen()

    def synthetic_cases(
        rows: Rows, columns: Any, settings: Any, *, n: int, seed: int, variant: str, rules: Any, repair: Any
    ) -> Synthetic:
        seen.given.append(SimpleNamespace(**locals()))
        parent = np.random.default_rng(seed).choice(np.flatnonzero(rows.event == 0), size=n)
        seen.tables.append(rows.features)
        seen.parents.append(rows.features.iloc[parent])
        made = rows.features.iloc[parent].reset_index(drop=True)
        return Synthetic(made.assign(severity=made["severity"] + 1.5), parent, seen.remarks)

    monkeypatch.setattr("mgvae.generator.synthesis.synthetic_cases", synthetic_cases)
    return seen
