import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.embedding import fit_embedding
from tests.validation.simulated_patients import draw_patients
from validation.privacy import closer_to_training, exact_copies, parent_closeness


def frame(rows, columns="ab"):
    return pd.DataFrame(np.array(rows, dtype=float), columns=list(columns))


NOBODY = frame(np.empty((0, 2)))


def test_copies_are_counted_with_missing_equal_to_missing():
    cases = frame([[1, 2], [3, np.nan], [0, 5]])
    synthetic = frame([[3, np.nan], [-0.0, 5], [1, 3], [np.nan, np.nan]])
    found = exact_copies(synthetic, cases, NOBODY, majority=())
    assert (found.count, found.rate.value, found.excess) == (2, 0.5, True)


def test_single_precision_does_not_hide_a_copy():
    cases = frame([[5.6, 120.3]])
    synthetic = cases.astype(np.float32).astype(float)
    assert not synthetic.equals(cases)
    assert exact_copies(synthetic, cases, NOBODY, majority=()).count == 1


def test_levels_are_compared():
    dtype = pd.CategoricalDtype(["x", "y"])
    cases, synthetic = (pd.DataFrame({"a": pd.Series(cells, dtype=dtype)}) for cells in (["x"], ["y", "x", None]))
    assert exact_copies(synthetic, cases, cases.iloc[:0], majority=()).count == 1


def test_a_row_that_several_patients_have_points_to_nobody():
    cases, synthetic = frame([[1, 2], [3, 4]]), frame([[1, 2], [1, 2], [9, 9]])
    found = exact_copies(synthetic, cases, NOBODY, majority=(frame([[1, 2]]),))
    assert (found.count, found.shared, found.excess) == (0, 2, False)


def test_real_cases_that_coincide_excuse_as_many_copies_but_not_more():
    cases, holdout = frame([[value, 0] for value in range(40)]), frame([[value, 0] for value in range(20, 60)])
    assert exact_copies(frame([[25, 1], [26, 1], [3, 0]]), cases, holdout, majority=()).reference == pytest.approx(20 / 80)
    synthetic = frame([[value, value >= 5] for value in range(20)])  # 25 % copies
    assert not exact_copies(synthetic, cases, holdout, majority=()).excess
    assert exact_copies(frame([[value, 0] for value in range(20)]), cases, holdout, majority=()).excess


def test_two_training_cases_that_coincide_are_a_reference_too():
    found = exact_copies(frame([[5, 5]]), frame([[1, 1], [1, 1], [2, 2]]), frame([[7, 7]]), majority=())
    assert found.reference == pytest.approx(2 / 4)


def test_copies_of_the_parent_lie_within_its_neighbourhood(rng):
    majority = rng.normal(size=(300, 5))
    parents = rng.permutation(300)
    assert parent_closeness(majority[parents], parents, majority, seed=1).share.value == 1
    noisy = majority[parents] + 0.01 * rng.normal(size=(300, 5))
    assert parent_closeness(noisy, parents, majority, seed=1).share.low > 0.9
    fresh = rng.normal(size=(300, 5))
    assert parent_closeness(fresh, parents, majority, seed=1).share.high < 0.05


def test_parent_closeness_agrees_with_a_loop(rng):
    majority, synthetic, parents = rng.normal(size=(30, 2)), rng.normal(size=(20, 2)), rng.permutation(30)[:20]
    near = 0
    for row, parent in zip(synthetic, parents, strict=True):
        others = np.delete(majority, parent, axis=0)
        near += np.linalg.norm(row - majority[parent]) < np.linalg.norm(others - majority[parent], axis=1).min()
    assert parent_closeness(synthetic, parents, majority, seed=1).share.value == pytest.approx(near / 20)


def test_parents_with_a_twin_are_not_judged():
    majority = np.array([[0.0], [0.0], [5.0], [9.0]])
    found = parent_closeness(np.array([[0.0], [5.0]]), np.array([0, 2]), majority, seed=1)
    assert found.share.value == 1  # of the second alone
    assert parent_closeness(np.zeros((2, 1)), np.array([0, 1]), np.zeros((3, 1)), seed=1) is None
    assert parent_closeness(np.zeros((1, 1)), np.array([0]), np.zeros((1, 1)), seed=1) is None


def test_one_row_is_judged_for_each_parent(rng):
    majority = rng.normal(size=(50, 3))
    parents = np.repeat(np.arange(5), 100)
    found = parent_closeness(majority[parents], parents, majority, seed=1)
    assert found.share.low < 0.6  # five parents, not five hundred


def test_as_far_from_the_parent_as_its_neighbour_is_not_nearer():
    majority = np.array([[0.0], [1.0], [9.0]])
    assert parent_closeness(np.array([[-1.0]]), np.array([0]), majority, seed=1).share.value == 0
    assert parent_closeness(np.array([[-0.99]]), np.array([0]), majority, seed=1).share.value == 1


def test_which_row_of_a_parent_is_judged_is_drawn():
    majority, synthetic = np.array([[0.0], [1.0], [9.0]]), np.array([[0.1], [-5.0]])
    found = {parent_closeness(synthetic, np.array([0, 0]), majority, seed=seed).share.value for seed in range(20)}
    assert found == {0.0, 1.0}


def test_copies_of_training_cases_are_closer_to_training(rng):
    cases, holdout = rng.normal(size=(60, 4)), rng.normal(size=(60, 4))
    assert closer_to_training(cases[rng.integers(0, 60, 400)], cases, holdout, seed=1).value == 1
    assert closer_to_training(holdout[rng.integers(0, 60, 400)], cases, holdout, seed=1).value == 0


def test_the_larger_reference_set_has_no_advantage(rng):
    values = [
        closer_to_training(rng.normal(size=(300, 4)), rng.normal(size=(200, 4)), rng.normal(size=(20, 4)), seed=i).value
        for i in range(30)
    ]
    assert np.mean(values) == pytest.approx(0.5, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize(("n_cases", "n_holdout"), [(8, 5), (20, 8), (60, 60)])
def test_interval_of_the_closer_share_holds_one_half_without_copying(rng, n_cases, n_holdout):
    covered = 0
    for seed in range(60):
        synthetic, cases, holdout = (rng.normal(size=(n, 5)) for n in (200, n_cases, n_holdout))
        found = closer_to_training(synthetic, cases, holdout, seed=seed)
        covered += found.low <= 0.5 <= found.high
    assert covered >= 54


def test_ties_count_half():
    found = closer_to_training(np.zeros((10, 1)), np.ones((6, 1)), np.ones((6, 1)), seed=1)
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)


def test_too_few_cases_are_not_judged(rng):
    assert closer_to_training(rng.normal(size=(9, 2)), rng.normal(size=(3, 2)), rng.normal(size=(9, 2)), seed=1) is None


def test_measures_repeat_for_a_seed(rng):
    cases, holdout, synthetic = (draw_patients(rng, n, cases=True) for n in (40, 20, 100))
    points = [fit_embedding(cases).transform(table) for table in (synthetic, cases, holdout)]
    assert closer_to_training(*points, seed=3) == closer_to_training(*points, seed=3)
    assert closer_to_training(*points, seed=3) != closer_to_training(*points, seed=4)
