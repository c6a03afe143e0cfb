"""A part of the rows far out in a numeric column, as after an error of unit.

Of n earlier values the one of rank k from the end is a limit. If nothing drifted, the number of m new values beyond it is
beta-binomial, whatever the distribution (Wilks 1941, doi 10.1214/aoms/1177731788): exact, and conservative where values tie.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from mgvae.cohort.embedding import Floats
from validation.joint_drift import FEWEST_ROWS, Evidence

FAR = 0.005  # share of the earlier values beyond each limit


def far_out(before: pd.DataFrame, after: pd.DataFrame, new: Floats, names: list[str]) -> Evidence | None:
    """Return the largest share of rows, beyond the expected one, that lie far out; None without numeric columns.

    The p-value is corrected for the columns, both sides, and for all rows and newcomers.

    Args:
        before, after: the extracts.
        new: which rows of ``after`` are newcomers, bool.
        names: the numeric columns.
    """
    parts = [(after, "all patients")] if new.all() else [(after, "all patients"), (after[new], "newcomers")]
    found = [one for name in names for rows, who in parts for one in _sides(before[name], rows[name], f"{name}, {who}")]
    if not found:
        return None
    first = min(found, key=lambda one: one.p)
    return Evidence(first.value, min(1.0, first.p * len(found)), first.detail)


def _sides(before: pd.Series, after: pd.Series, label: str) -> Iterator[Evidence]:
    old, new = np.sort(before.dropna().to_numpy(float)), after.dropna().to_numpy(float)
    n, m = len(old), len(new)
    if n < FEWEST_ROWS or not m:
        return
    rank = max(1, round(FAR * n))
    for beyond, side in ((int((new < old[rank - 1]).sum()), "below"), (int((new > old[n - rank]).sum()), "above")):
        p = float(stats.betabinom.sf(beyond - 1, m, rank, n - rank + 1))
        expected = rank / (n + 1)
        yield Evidence(beyond / m - expected, p, f"{label}: {beyond:,} of {m:,} far {side}, {expected * m:.1f} expected.")
