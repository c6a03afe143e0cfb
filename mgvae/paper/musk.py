"""UCI Musk, version 2: conformations of 102 molecules, 166 measured distances each; is the molecule a musk?

Conformations of one molecule are near-copies of each other, so a random split has each molecule on both sides.

Source: UCI Machine Learning Repository 75, ``clean2.data``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from mgvae.errors import ExtractError
from mgvae.paper.files import found, opened
from mgvae.paper.rows import Rows

COLUMNS = 169  # molecule, conformation, 166 distances, class
MUSK = 1


def read_musk(folder: Path) -> tuple[Rows, Tensor]:
    """Return all rows in the file's order, ``(6598, 166)``, and the number of each row's molecule, ``(6598,)``.

    Raises:
        ExtractError: the file is missing or malformed, or a molecule is both a musk and none.
    """
    path = found(folder, "clean2.data")
    with opened(path) as file:
        try:
            table = pd.read_csv(file, header=None)
        except (ValueError, pd.errors.ParserError):  # UnicodeDecodeError is a ValueError
            raise ExtractError(f"{path}: must be comma-separated text without header. Fetch clean2.data again.") from None
    if table.shape[1] != COLUMNS:
        raise ExtractError(f"{path}: must have {COLUMNS} columns; got {table.shape[1]}. Fetch clean2.data again.")
    numbers = table.iloc[:, 2:].apply(pd.to_numeric, errors="coerce")
    if (broken := int(numbers.isna().any(axis=1).sum())) or table.iloc[:, 0].isna().any():
        raise ExtractError(f"{path}: must hold a molecule and 167 numbers in each row; {broken} rows do not. Fetch it again.")
    label, molecule = numbers.iloc[:, -1], pd.factorize(table.iloc[:, 0])[0]
    if not label.isin([0, 1]).all() or label.groupby(molecule).nunique().max() != 1:
        raise ExtractError(f"{path}: the last column must be 0 or 1, the same for all rows of a molecule. Fetch it again.")
    values = torch.from_numpy(numbers.iloc[:, :-1].to_numpy("float32", copy=True))
    return Rows(values, torch.from_numpy(label.to_numpy("int64", copy=True))), torch.from_numpy(molecule)
