"""Readers of the paper's tables: UCI Musk version 2, Isolet and Water Quality.

Musk has conformations of 102 molecules, 166 measured distances each; is the molecule a musk? Conformations of one molecule are
near-copies of each other, so a random split has each molecule on both sides.

Source: UCI Machine Learning Repository 75, ``clean2.data``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.io import loadmat
from torch import Tensor

from mgvae.errors import ExtractError
from mgvae.paper.datasets.files import found, opened
from mgvae.paper.datasets.rows import Rows, joined

MUSK_COLUMNS = 169  # molecule, conformation, 166 distances, class
FILES = tuple(f"isolet{number}.mat" for number in range(1, 6))
FEATURES, LETTERS = 617, 26
POSITIVE = (1, 2)  # A and B
WATER_COLUMNS = 21
CLASS, BROKEN = "is_safe", "#NUM!"


def read_musk(folder: Path) -> tuple[Rows, Tensor]:
    """Return all rows in file order, ``(6598, 166)``, and each one's molecule.

    Raises:
        ExtractError: the file is missing or malformed, or a molecule is both a musk and none.
    """
    path = found(folder, "clean2.data")
    table = _read_csv(path, "without header", header=None)
    if table.shape[1] != MUSK_COLUMNS:
        raise ExtractError(f"{path}: must have {MUSK_COLUMNS} columns; got {table.shape[1]}. Fetch clean2.data again.")
    numbers = table.iloc[:, 2:].apply(pd.to_numeric, errors="coerce")
    if (broken := int(numbers.isna().any(axis=1).sum())) or table.iloc[:, 0].isna().any():
        raise ExtractError(f"{path}: must hold a molecule and 167 numbers in each row; {broken} rows do not. Fetch it again.")
    label, molecule = numbers.iloc[:, -1], pd.factorize(table.iloc[:, 0])[0]
    if not label.isin([0, 1]).all() or label.groupby(molecule).nunique().max() != 1:
        raise ExtractError(f"{path}: the last column must be 0 or 1, the same for all rows of a molecule. Fetch it again.")
    values = torch.from_numpy(numbers.iloc[:, :-1].to_numpy("float32", copy=True))
    return Rows(values, torch.from_numpy(label.to_numpy("int64", copy=True))), torch.from_numpy(molecule)


def read_isolet(folder: Path) -> tuple[Rows, Tensor]:
    """Return all rows, ``(7797, 617)``, labelled 1 for A and B, and speaker groups.

    Raises:
        ExtractError: a file is missing or malformed.
    """
    parts = [_read(found(folder, name)) for name in FILES]
    group = torch.cat([torch.full((len(part),), number) for number, part in enumerate(parts)])
    return joined(*parts), group


def _read_csv(path: Path, form: str, **options: Any) -> pd.DataFrame:
    with opened(path) as file:
        try:
            table: pd.DataFrame = pd.read_csv(file, **options)
        except ValueError:  # of decoding or parsing
            raise ExtractError(f"{path}: must be comma-separated text {form}. Fetch the file again.") from None
    return table


def _read(path: Path) -> Rows:
    try:
        content = loadmat(path)
    except Exception:  # a damaged file makes loadmat raise whatever its parser stumbles over
        raise ExtractError(f"{path}: cannot be read as a Matlab file of version 5. Fetch the file again.") from None
    if not {"fea", "gnd"} <= content.keys():
        raise ExtractError(f"{path}: must hold the matrices fea and gnd. Take Deng Cai's version of Isolet.")
    features, letter = np.asarray(content["fea"]), np.asarray(content["gnd"]).ravel()
    if features.ndim != 2 or features.shape != (len(letter), FEATURES):
        raise ExtractError(f"{path}: fea must be ({len(letter)}, {FEATURES}) for {len(letter)} labels; got {features.shape}.")
    if not np.isfinite(features).all() or not np.isin(letter, np.arange(1, LETTERS + 1)).all():
        raise ExtractError(f"{path}: fea must be finite and gnd a number from 1 to {LETTERS}. Fetch the file again.")
    label = np.isin(letter, POSITIVE).astype(np.int64)
    return Rows(torch.from_numpy(features.astype(np.float32)), torch.from_numpy(label))


def read_water(folder: Path) -> tuple[Rows, int]:
    """Return intact rows, ``(7996, 20)``, labelled 1 for safe; count the others.

    Raises:
        ExtractError: the file is missing or malformed beyond its known broken rows.
    """
    path = found(folder, "waterQuality1.csv")
    table = _read_csv(path, "with a header", dtype=str, skipinitialspace=True)
    if table.shape[1] != WATER_COLUMNS or table.columns[-1] != CLASS:
        raise ExtractError(
            f"{path}: must have {WATER_COLUMNS} columns, the last {CLASS}; got {table.shape[1]}. Fetch it again."
        )
    broken = (table == BROKEN).any(axis=1)
    numbers = table[~broken].apply(pd.to_numeric, errors="coerce")
    if wrong := int(numbers.isna().any(axis=1).sum()):
        raise ExtractError(f"{path}: cells must be numbers or {BROKEN}; {wrong} rows hold something else. Fetch it again.")
    if not numbers[CLASS].isin([0, 1]).all():
        raise ExtractError(f"{path}: {CLASS} must be 0 or 1. Fetch the file again.")
    values = torch.from_numpy(numbers.iloc[:, :-1].to_numpy("float32", copy=True))
    return Rows(values, torch.from_numpy(numbers[CLASS].to_numpy("int64", copy=True))), int(broken.sum())
