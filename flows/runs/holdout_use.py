"""Count how often the patients of a study's hold-outs have judged its models.

The counts lie beside the audit log, under hashes of the patients' names, and are written after its line: where a process is
killed in between, one comparison is not counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from flows.runs.audit_log import Change
from mgvae.arrays import IntArray
from mgvae.errors import StoreError, reason_of
from mgvae.results.promotion import HoldoutUse

COUNTS = "judges.parquet"


def pseudonyms(subjects: Sequence[str], study: str) -> IntArray:
    """Return a hash of each patient's name, int64 ``(n,)``."""
    digests = (hashlib.blake2b(f"{study}/{name}".encode(), digest_size=8).digest() for name in subjects)
    return np.fromiter((int.from_bytes(one, "big", signed=True) for one in digests), dtype=np.int64, count=len(subjects))


def use_of(study: Path, judges: IntArray, *, window: int) -> HoldoutUse:
    """Return how often patients have judged, this time included."""
    nights = _counts(study).reindex(judges, fill_value=0) + 1
    return HoldoutUse(median=float(nights.median()), most=int(nights.max()), window=window, next_window=window)


def note_use(study: Path, judges: IntArray) -> None:
    """Count one comparison more for each of these patients.

    Raises:
        StoreError: the counts cannot be written.
    """
    counts = _counts(study).add(pd.Series(1, index=judges), fill_value=0).astype("int64")
    new = study / f".{COUNTS}"
    try:
        counts.rename_axis("judge").rename("comparisons").reset_index().to_parquet(new, index=False)
        new.chmod(0o600)
        new.replace(study / COUNTS)
    except OSError as error:
        raise StoreError(f"{study / COUNTS} must be writable with space left; {reason_of(error)}.") from None


def current_window(changes: Sequence[Change]) -> int:
    """Return the number of the random hold-out that is due, from the audit log."""
    for change in reversed(changes):
        use = (change.comparison or {}).get("use")
        if use is not None:
            return int(use["next_window"])
    return 0


def _counts(study: Path) -> pd.Series[int]:
    """Return comparisons by judge; none where there is no file, or it cannot be read."""
    try:
        table = pd.read_parquet(study / COUNTS)
        comparisons, judges = table["comparisons"].to_numpy(np.int64), table["judge"].to_numpy(np.int64)
    except (OSError, ValueError, LookupError):
        comparisons = judges = np.array([], dtype=np.int64)
    return pd.Series(comparisons, index=judges)
