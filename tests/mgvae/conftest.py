"""What tests of the library share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def brief_judges() -> Iterator[None]:
    """Judge plausibility on two folds and by few trees in a module about something else: it takes most of a table's time."""
    from mgvae.classifiers.models import BoostingModel
    from mgvae.generator import judges

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judges, "FOLDS", 2)
        for makers in (judges.MODEST, judges.ALL):
            patch.setitem(makers, "hist_gradient_boosting", lambda seed: BoostingModel(seed=seed, max_iter=20))
        yield
