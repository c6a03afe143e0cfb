"""Numbers in JSON: None where unknown, never NaN; shares lie in 0..1."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BeforeValidator, Field

from mgvae.config.strict import Strict


def _snapped(value: object) -> object:
    """Return a share that rounding put just outside 0..1 as 0 or 1."""
    if isinstance(value, float) and -1e-9 < value < 1 + 1e-9:
        return min(max(value, 0.0), 1.0)
    return value


FEW_EVENTS = 15  # with fewer, results are a technical trial and no evidence
FEWEST_NAMED = 5  # patients; a smaller group is not named, and its count suppressed

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, BeforeValidator(_snapped), Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Amounts = tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...]


class Estimate(Strict):
    """A value with its interval, 95 % unless stated otherwise; each may be unknown."""

    value: Number | None
    low: Number | None = None
    high: Number | None = None


def number(value: float) -> float | None:
    """Return a JSON number; None where ``value`` is not finite."""
    return float(value) if math.isfinite(value) else None


def require_same_lengths(expected: int, *columns: tuple[object, ...]) -> None:
    """Raise where lists that belong together differ in length.

    Raises:
        ValueError: their lengths differ from ``expected``.
    """
    if any(len(column) != expected for column in columns):
        raise ValueError(
            f"lists that belong together must have one length; expected {expected}, got {[len(c) for c in columns]}"
        )
