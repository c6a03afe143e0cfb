"""Synthetic cases, and what was noted of them; who reads their files needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mgvae.arrays import Array
from mgvae.results.synthetic import RepairRecord, RuleRecord


@dataclass(frozen=True)
class Synthetic:
    """Synthetic cases.

    Attributes:
        features: decoded rows, typed as the training features, ``(n, columns)``.
        parent: position of each row's parent among the majority rows, ``(n,)``; -1 where a plain VAE made the row.
        remarks: what a reader must know of how they were made, in full sentences.
        rules: what it took to keep rules between columns; None without rules.
        repair: what repair dropped; None where it was not asked for.
        dropped: the cases that it dropped.
    """

    features: pd.DataFrame
    parent: Array
    remarks: tuple[str, ...] = ()
    rules: RuleRecord | None = None
    repair: RepairRecord | None = None
    dropped: Synthetic | None = None
