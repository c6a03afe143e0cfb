"""The encoded rows that a generator is trained on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae.arrays import Array
from mgvae.config.sections import Training
from mgvae.model.encoding import Encoding


@dataclass(frozen=True)
class GeneratorInputs:
    """Encoded majority rows and cases, on the training device.

    Attributes:
        encoding: fitted on the table.
        majority: ``(K, W)``; None for a plain VAE, which knows the cases alone.
        cases: ``(n, W)``.
        majority_group: code of each majority row's group, ``(K,)``.
        case_group: code of each case's group, ``(n,)``.
    """

    encoding: Encoding
    majority: Tensor | None
    cases: Tensor
    majority_group: Array
    case_group: Array

    @property
    def group(self) -> Array:
        """Group codes of the majority rows, then of the cases."""
        return np.concatenate([self.majority_group, self.case_group])

    def without_cases(self) -> GeneratorInputs:
        """Return the same without any case: what holds none cannot read one."""
        return replace(self, cases=self.cases[:0], case_group=self.case_group[:0])


def encoding_rows(features: pd.DataFrame, event: Array, settings: Training) -> pd.DataFrame:
    """Return the rows ``(n, P)`` that an encoding is fitted on: with privacy, the majority alone."""
    return features if settings.privacy is None else features[~np.asarray(event, dtype=bool)].reset_index(drop=True)


def divide_by_event(encoding: Encoding, rows: Tensor, event: Array, group: Array) -> GeneratorInputs:
    """Divide rows ``(N, W)`` by event, bool ``(N,)``, with groups ``(N,)``."""
    at = torch.from_numpy(event).to(rows.device)
    return GeneratorInputs(encoding, rows[~at], rows[at], group[~event], group[event])
