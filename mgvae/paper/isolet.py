"""Isolet: 150 speakers say each letter of the alphabet twice; 617 numbers in [-1, 1] a recording, in five Matlab files.

The imbalanced task is imbalanced-learn's: the letters A and B against all others.

Source: UCI Machine Learning Repository 54, in Deng Cai's Matlab version (keys ``fea`` and ``gnd``); the task, Ding 2011 by way
of ``imblearn.datasets.fetch_datasets``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor

from mgvae.errors import ExtractError
from mgvae.paper.files import found
from mgvae.paper.rows import Rows, joined

FILES = tuple(f"isolet{number}.mat" for number in range(1, 6))
FEATURES, LETTERS = 617, 26
POSITIVE = (1, 2)  # A and B


def read_isolet(folder: Path) -> tuple[Rows, Tensor]:
    """Return all rows, ``(7797, 617)``, labelled 1 for A and B, else 0, and the group of speakers of each, 0 to 4.

    Raises:
        ExtractError: a file is missing or malformed.
    """
    parts = [_read(found(folder, name)) for name in FILES]
    group = torch.cat([torch.full((len(part),), number) for number, part in enumerate(parts)])
    return joined(*parts), group


def _read(path: Path) -> Rows:
    try:
        held = loadmat(path)
    except Exception:  # a damaged file makes loadmat raise whatever its parser stumbles over
        raise ExtractError(f"{path}: cannot be read as a Matlab file of version 5. Fetch the file again.") from None
    if not {"fea", "gnd"} <= held.keys():
        raise ExtractError(f"{path}: must hold the matrices fea and gnd. Take Deng Cai's version of Isolet.")
    features, letter = np.asarray(held["fea"]), np.asarray(held["gnd"]).ravel()
    if features.ndim != 2 or features.shape != (len(letter), FEATURES):
        raise ExtractError(f"{path}: fea must be ({len(letter)}, {FEATURES}) for {len(letter)} labels; got {features.shape}.")
    if not np.isfinite(features).all() or not np.isin(letter, np.arange(1, LETTERS + 1)).all():
        raise ExtractError(f"{path}: fea must be finite and gnd a number from 1 to {LETTERS}. Fetch the file again.")
    label = np.isin(letter, POSITIVE).astype(np.int64)
    return Rows(torch.from_numpy(features.astype(np.float32)), torch.from_numpy(label))
