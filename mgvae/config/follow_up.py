"""How long patients are followed, and what a study must say where that is to a horizon."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.dictionary import NUMERIC_KINDS, Dictionary, canonical
from mgvae.config.sections import Outcome
from mgvae.config.strict import Strict


class FollowUp(Strict):
    """How long a subject must be observed after the prediction.

    Attributes:
        min_days: days; to the end of the outcome's window if absent. A subject without the event who is observed for less than
            the whole window has an unknown outcome and leaves.
        keep_events: whether a subject with the event stays, however short the follow-up. Without it the dead leave.
        keep_dead: whether a subject who died in the window without the event counts as followed to its end: no event can come.
    """

    min_days: float | None = Field(default=None, ge=0)
    keep_events: bool = True
    keep_dead: bool = True


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
