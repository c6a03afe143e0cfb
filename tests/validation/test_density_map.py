"""The map counts every row once, where it lies, and gives no small count away."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from mgvae.cohort.embedding import fit_embedding
from mgvae.results.density_map import GROUPS, DensityMap, MapCell
from mgvae.results.small_counts import suppressed_rows
from validation.density_map import density_map


def frame(rows, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(shift, 1, rows)
    level = pd.Categorical(rng.choice(["a", "b"], rows), categories=["a", "b"])
    return pd.DataFrame({"x": first, "y": 0.8 * first + rng.normal(0, 0.5, rows), "z": rng.normal(0, 1, rows), "level": level})


MAJORITY, CASES, SYNTHETIC = frame(3000), frame(200, 2, seed=1), frame(900, 2, seed=2)


@pytest.fixture(scope="module")
def found():
    return density_map(MAJORITY, CASES, SYNTHETIC)


def counts(found, group):
    return np.array([getattr(cell, group) or 0 for cell in found.cells])


def test_the_components_are_those_of_the_majority(found):
    rows = fit_embedding(MAJORITY).transform(MAJORITY).astype(float)
    assert found.variance == pytest.approx(PCA(2, svd_solver="full").fit(rows).explained_variance_ratio_)


def test_the_map_of_a_wide_table_is_that_of_all_pairs(found, monkeypatch):
    monkeypatch.setattr("validation.density_map.WIDE", 0)
    wide = density_map(MAJORITY, CASES, SYNTHETIC)
    assert wide.variance == pytest.approx(found.variance)
    assert wide.cells == found.cells


def test_cases_and_synthetic_rows_lie_where_they_were_shifted_to(found):
    middle = {group: np.average([cell.across for cell in found.cells], weights=counts(found, group)) for group in GROUPS}
    assert abs(middle["cases"] - middle["synthetic"]) < 0.2
    assert middle["cases"] > middle["majority"] + 1


@pytest.mark.parametrize("group", GROUPS)
def test_no_small_count_is_shown_and_none_can_be_calculated(found, group):
    shown = [getattr(cell, group) for cell in found.cells]
    assert not any(count is not None and 0 < count < found.fewest for count in shown)
    left = found.n[group] - counts(found, group).sum()
    assert left == 0 or (left >= found.fewest and shown.count(None) > 1)
    assert found.n == {"majority": 3000, "cases": 200, "synthetic": 900}


@pytest.mark.parametrize(
    ("given", "hidden"),
    [
        ([0, 5, 9], [0, 0, 0]),
        ([0, 4, 9], [0, 1, 1]),  # 4 alone would be the rest
        ([1, 2, 9, 7], [1, 1, 0, 1]),  # 3 of two would be the rest
        ([2, 3, 9], [1, 1, 0]),
        ([0, 3, 0], [0, 1, 0]),
    ],
)
def test_as_many_counts_are_left_out_as_it_takes(given, hidden):
    assert suppressed_rows(np.array(given).reshape(-1, 1)).tolist() == list(hidden)


def test_no_patient_s_place_is_an_edge(found):
    for step, starts in ((found.width, [c.across for c in found.cells]), (found.height, [c.up for c in found.cells])):
        digits = 10 ** (np.floor(np.log10(step)) - 1)
        assert np.array([step, min(starts)]) / digits == pytest.approx(np.round(np.array([step, min(starts)]) / digits))


def test_the_same_rows_give_the_same_map_and_fewer_cases_a_coarser_one(found):
    assert density_map(MAJORITY, CASES, SYNTHETIC) == found
    assert density_map(MAJORITY, CASES[:20], SYNTHETIC).width > found.width


def test_there_is_no_map_without_two_directions_or_without_rows():
    constant = frame(50).assign(x=1.0, y=1.0, z=1.0, level=pd.Categorical(["a"] * 50, categories=["a", "b"]))
    assert density_map(constant, CASES, SYNTHETIC) is None
    assert density_map(MAJORITY, CASES, SYNTHETIC[:0]) is None


def test_a_small_count_is_against_the_contract():
    cell = MapCell(across=0, up=0, majority=9, cases=4, synthetic=0)
    n = dict.fromkeys(GROUPS, 9)
    with pytest.raises(ValueError, match="a count of 1 to 4 must be None"):
        DensityMap(width=1, height=1, variance=(0.5, 0.2), fewest=5, n=n, cells=(cell,))
