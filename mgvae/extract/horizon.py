"""The outcome at the horizon, where the extract says how long each patient was followed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mgvae.config.dictionary import canonical
from mgvae.config.follow_up import outcome_levels
from mgvae.config.study import CohortConfig


def outcome_at_horizon(config: CohortConfig, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of an extract with the outcome as it is known at the horizon.

    An event after the horizon is none. The outcome is missing of those who had no event and were followed for less, and of
    those whose outcome or follow-up is missing; the follow-up of the latter is missing, too. Other levels stay as they are.

    Args:
        config: a study with ``outcome.follow_up``.
        frame: with the outcome in canonical spelling and the follow-up in days.
    """
    outcome, days = config.outcome, frame[config.outcome.follow_up or ""].astype(float)
    status, horizon = frame[outcome.column].astype(object), float(config.horizon_days or 0)
    levels = outcome_levels(outcome, config.columns)
    ends = {canonical(outcome.event), *map(canonical, outcome.competing)}
    none = next(level for level in levels if level not in ends)
    unknown = status.isna() | days.isna()
    lost = ~unknown & ~status.isin(ends) & status.isin(levels) & (days < horizon)
    late = status.isin(ends) & (days > horizon)
    found = status.mask(late, none).mask(unknown | lost, np.nan)
    return frame.assign(**{outcome.column: found, str(outcome.follow_up): days.mask(unknown)})
