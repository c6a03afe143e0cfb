"""imbalanced-learn's own suite of checks; none is skipped."""

from __future__ import annotations

import pytest
from imblearn.utils.estimator_checks import parametrize_with_checks

from mgvae import MGVAEOverSampler

pytestmark = pytest.mark.usefixtures("brief_judges")

QUICK = MGVAEOverSampler(hidden=(16, 16), epochs=2, finetune_epochs=2, ewc_lambda=1.0, exemplars=200, random_state=0)
CHECKS = parametrize_with_checks([QUICK])


@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), ids=CHECKS.kwargs["ids"])  # a list: pytest wants no generator
def test_oversampler_check(estimator, check):
    check(estimator)
