"""The weighted sum of correlations, and its jackknife, against correlations of the rows themselves."""

import numpy as np
import pytest

from validation.dependence import BLOCKS, _weighted_sum


@pytest.mark.parametrize("rows", [8, 20, 47])
def test_the_sum_and_its_jackknife_are_those_of_numpys_correlations(rng, rows):
    table = (rng.normal(size=(rows, 5)) + rng.normal(size=(rows, 1)) + [0, 1, 2, 3, 4]).astype(np.float32)
    weight = np.triu(rng.normal(size=(5, 5)), k=1)
    found = _weighted_sum(table, weight)

    blocks = min(rows, BLOCKS)
    place = np.arange(rows) % blocks
    left = np.array([(weight * np.corrcoef(table[place != block].T)).sum() for block in range(blocks)])
    np.testing.assert_allclose(found.correlations, np.triu(np.corrcoef(table.T)), atol=1e-6)
    assert found.value == pytest.approx((weight * np.corrcoef(table.T)).sum(), abs=1e-6)
    assert found.variance == pytest.approx((blocks - 1) * left.var(), rel=1e-5)


def test_a_coordinate_that_does_not_vary_correlates_with_none(rng):
    table = rng.normal(size=(30, 3)).astype(np.float32)
    table[:, 1] = 0.7
    found = _weighted_sum(table, np.triu(np.ones((3, 3)), k=1))
    assert found.correlations[1].tolist() == found.correlations[:, 1].tolist() == [0, 0, 0]
    assert found.value == pytest.approx(np.corrcoef(table[:, [0, 2]].T)[0, 1], abs=1e-6)
