"""What the majority is good for: on 8x8 digits, pre-training and EWC beat a generator trained on the rare cases alone."""

from __future__ import annotations

import numpy as np
import pytest

from mgvae.reproducibility import derive
from tests.benchmarks.digits import LAMBDA, digits, fresh, pretrained, score, translated

SEEDS, CASES = 2, 10


@pytest.mark.slow
def test_pretraining_with_ewc_beats_from_scratch():
    differences = []
    for seed in range(SEEDS):
        data = digits(CASES, seed)
        start = pretrained(data, seed)
        with_ewc = score(data, *translated(data, start.model, start.anchor, LAMBDA, seed))
        from_scratch = score(data, *translated(data, fresh(data, derive(seed, "scratch")), None, 0.0, seed))
        differences.append(with_ewc - from_scratch)
    assert np.mean(differences) > 0.0
