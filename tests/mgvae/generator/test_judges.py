"""The judges: a row's log odds are the same to the last bit, in whatever block of rows it stands."""

import numpy as np
import pytest

from mgvae.generator import judges
from tests.mgvae.small_cohort import cohort


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [1, 37, 100, 10_000])
def test_blocks_of_rows_are_judged_as_all_at_once(at_once, monkeypatch):
    features, event, _ = cohort(300, 40)
    fitted = judges.fit_judges(judges.judging(features), features, event, seed=1)
    whole = judges.log_odds(fitted, features)
    monkeypatch.setattr(judges, "AT_ONCE", at_once)
    assert np.array_equal(judges.log_odds(fitted, features), whole)
