"""The encoded rows that stage encode writes and later stages read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mgvae.arrays import IntArray
from mgvae.config.study import CohortConfig
from mgvae.evaluation.majority import draw_majority
from mgvae.reproducibility import derive

if TYPE_CHECKING:
    import torch

ROWS = "rows.safetensors"


def generator_rows(event: IntArray, group: IntArray, config: CohortConfig) -> IntArray:
    """Return the positions of the training patients that the generator learns from.

    Args:
        event: outcome of all training patients in {0, 1}, ``(N,)``.
        group: of each, ``(N,)``.
        config: ``evaluation.majority_rows`` says how many without the event.
    """
    seed = derive(config.seed, "generator rows")
    return draw_majority(event, group, config.evaluation.majority_rows, seed=seed).rows


def majority_places(event: IntArray, drawn: IntArray) -> IntArray:
    """Return the places of drawn patients without the event among all without it, ``(K,)``."""
    return np.asarray(np.cumsum(event == 0)[drawn[event[drawn] == 0]] - 1, dtype=np.int64)


def encoded_rows(folder: Path) -> dict[str, torch.Tensor]:
    """Read ``rows (n, W)``, ``event (n,)``, ``group (n,)`` and ``majority`` (see `majority_places`) of stage encode."""
    from safetensors.torch import load_file

    tensors: dict[str, torch.Tensor] = load_file(folder / ROWS)
    return tensors
