"""Water Quality: 20 imagined measurements of urban water; is it safe to drink?

By its author's own word the data are imaginary: they serve to repeat the paper's table, and are evidence of nothing else. Three
rows hold ``#NUM!`` for ammonia and for the class, and are left out.

Source: Kaggle mssmartypants/water-quality, ``waterQuality1.csv``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from mgvae.errors import ExtractError
from mgvae.paper.files import found, opened
from mgvae.paper.rows import Rows

COLUMNS = 21
CLASS, BROKEN = "is_safe", "#NUM!"


def read_water(folder: Path) -> tuple[Rows, int]:
    """Return the whole rows in the file's order, ``(7996, 20)``, labelled 1 for safe, and how many broken ones were left out.

    Raises:
        ExtractError: the file is missing or malformed beyond its known broken rows.
    """
    path = found(folder, "waterQuality1.csv")
    with opened(path) as file:
        try:
            table = pd.read_csv(file, dtype=str, skipinitialspace=True)
        except (ValueError, pd.errors.ParserError):
            raise ExtractError(f"{path}: must be comma-separated text with a header. Fetch the file again.") from None
    if table.shape[1] != COLUMNS or table.columns[-1] != CLASS:
        raise ExtractError(f"{path}: must have {COLUMNS} columns, the last {CLASS}; got {table.shape[1]}. Fetch it again.")
    broken = (table == BROKEN).any(axis=1)
    numbers = table[~broken].apply(pd.to_numeric, errors="coerce")
    if wrong := int(numbers.isna().any(axis=1).sum()):
        raise ExtractError(f"{path}: cells must be numbers or {BROKEN}; {wrong} rows hold something else. Fetch it again.")
    if not numbers[CLASS].isin([0, 1]).all():
        raise ExtractError(f"{path}: {CLASS} must be 0 or 1. Fetch the file again.")
    values = torch.from_numpy(numbers.iloc[:, :-1].to_numpy("float32", copy=True))
    return Rows(values, torch.from_numpy(numbers[CLASS].to_numpy("int64", copy=True))), int(broken.sum())
