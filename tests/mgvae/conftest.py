"""What tests of the library share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def brief_judges() -> Iterator[None]:
    """Judge plausibility on two folds, in modules about something else: five take most of a small table's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgvae.generator.judges.FOLDS", 2)
        yield
