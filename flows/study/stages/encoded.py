"""The encoded rows that stage encode writes and later stages read."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file

ROWS = "rows.safetensors"


def encoded_rows(folder: Path) -> dict[str, torch.Tensor]:
    """Read ``rows (n, W)``, ``event (n,)`` and ``group (n,)`` of stage encode."""
    tensors: dict[str, torch.Tensor] = load_file(folder / ROWS)
    return tensors
