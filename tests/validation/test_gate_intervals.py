import numpy as np
import pytest
from scipy import stats

from validation.intervals import auc_interval, auc_variance, ratio, share


@pytest.mark.parametrize(("count", "total"), [(0, 20), (3, 20), (20, 20), (1, 1), (5, 11400)])
def test_share_agrees_with_scipy(count, total):
    outside = stats.binomtest(count, total).proportion_ci(method="exact")
    found = share(count, total)
    assert (found.value, found.low, found.high) == pytest.approx((count / total, outside.low, outside.high))


@pytest.mark.parametrize(("count", "total"), [(0, 0), (3, 2), (-1, 5)])
def test_share_refuses_impossible_counts(count, total):
    with pytest.raises(ValueError, match="needs 0 <= count <= total"):
        share(count, total)


def test_auc_variance_is_that_of_hanley_and_mcneil_for_equal_sizes():
    auc, n = 0.8, 50
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    hanley = (auc * (1 - auc) + (n - 1) * (q1 - auc**2) + (n - 1) * (q2 - auc**2)) / n**2
    assert auc_variance(auc, n, n) == pytest.approx(hanley)


@pytest.mark.parametrize("auc", [0.0, 0.5, 0.8, 1.0])
def test_auc_interval_holds_its_value_and_is_open_at_the_ends(auc):
    found = auc_interval(auc, 10, 30)
    assert 0 <= found.low <= auc <= found.high <= 1
    assert found.high - found.low > 0.1
    mirrored = auc_interval(1 - auc, 10, 30)
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - found.high, 1 - found.low))


@pytest.mark.parametrize(("shift", "n_first", "n_second"), [(0.0, 8, 200), (1.0, 20, 20), (2.0, 15, 300)])
def test_auc_interval_covers_the_truth(rng, shift, n_first, n_second):
    truth = stats.norm.cdf(shift / np.sqrt(2))
    covered = 0
    for _ in range(400):
        first, second = rng.normal(shift, size=n_first), rng.normal(size=n_second)
        found = auc_interval(float((first[:, None] > second).mean()), n_first, n_second)
        covered += found.low <= truth <= found.high
    assert covered / 400 > 0.92


def test_ratio_covers_the_truth(rng):
    covered = 0
    for _ in range(1000):
        top, bottom = rng.multivariate_normal([0.8, 1.0], [[0.02, 0.01], [0.01, 0.03]])
        found = ratio(top, bottom, var_top=0.02, var_bottom=0.03, covariance=0.01, degrees=1e6)
        covered += found is not None and found.low <= 0.8 <= found.high
    assert 0.93 < covered / 1000 < 0.97


@pytest.mark.parametrize("bottom", [-1.0, 0.0, 0.19])
def test_ratio_needs_a_bottom_clearly_above_zero(bottom):
    assert ratio(0.5, bottom, var_top=0.01, var_bottom=0.01, covariance=0.0, degrees=1e6) is None
