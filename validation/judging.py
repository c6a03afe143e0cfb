"""Verdicts from a measure with its interval.

A gate fails on evidence: the value lies beyond the limit that fails, and the interval wholly beyond the limit that warns.
"""

from __future__ import annotations

from mgvae.results.gates import RANK, Verdict
from validation.intervals import Interval


def at_least(found: Interval | None, *, warn: float, fail: float) -> Verdict:
    """Judge a measure of which more is better."""
    if found is None:
        return "cannot_tell"
    if found.value < fail and found.high < warn:
        return "fail"
    return "warn" if found.value < warn else "pass"


def at_most(found: Interval | None, *, warn: float, fail: float) -> Verdict:
    """Judge a measure of which less is better."""
    if found is None:
        return "cannot_tell"
    if found.value > fail and found.low > warn:
        return "fail"
    return "warn" if found.value > warn else "pass"


def worse(first: Verdict, second: Verdict) -> Verdict:
    """Return the worse of two verdicts."""
    return max(first, second, key=RANK.__getitem__)
