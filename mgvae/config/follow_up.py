"""What a study must say where patients are followed to a horizon."""

from __future__ import annotations

from mgvae.config.dictionary import NUMERIC_KINDS, Dictionary, canonical
from mgvae.config.sections import Outcome


def outcome_levels(outcome: Outcome, columns: Dictionary) -> tuple[str, ...]:
    """Return the levels of the outcome as the data dictionary names them; none where it does not."""
    column = columns.columns.get(outcome.column)
    return () if column is None else tuple(map(canonical, column.levels))


def check_follow_up(outcome: Outcome, horizon_days: int | None, columns: Dictionary) -> None:
    """Check that the outcome at the horizon can be made from its levels and the follow-up.

    Raises:
        ValueError: the horizon, the column of days, or a level is absent.
    """
    if horizon_days is None:
        raise ValueError("outcome.follow_up needs horizon_days: up to which day the event counts")
    days = columns.columns.get(outcome.follow_up or "")
    if days is None or days.kind not in NUMERIC_KINDS:
        raise ValueError(f"outcome.follow_up '{outcome.follow_up}' must be a column of numbers in the data dictionary")
    levels = outcome_levels(outcome, columns)
    named = {canonical(one) for one in (outcome.event, *outcome.competing)}
    if not named < set(levels):
        raise ValueError(
            f"with outcome.follow_up the categories of '{outcome.column}' in the data dictionary must name the event, what "
            "competes with it, and one level for neither"
        )
