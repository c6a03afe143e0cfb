"""Outside samplers on typed tables: what goes in comes out with the same columns, kinds and missing cells."""

from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks.oversamplers.generators import adasyn_applies, adasyn_cases, ctgan_cases, from_ctgan, to_ctgan


@pytest.fixture
def table():
    draws = np.random.default_rng(0)
    n = 120
    grade = pd.Categorical.from_codes(draws.integers(-1, 3, n), categories=["I", "II", "III"], ordered=True)
    frame = pd.DataFrame(
        {
            "age": draws.integers(20, 90, n).astype(float),
            "lab": np.where(draws.random(n) < 0.3, np.nan, draws.normal(size=n)),
            "sex": pd.Categorical.from_codes(draws.integers(0, 2, n), categories=["f", "m"]),
            "grade": grade,
        }
    )
    return frame, (np.arange(n) < 30).astype(int)


def test_the_packages_form_is_turned_back(table):
    frame, _ = table
    coded, discrete = to_ctgan(frame)
    assert discrete == ["x1 missing", "x2", "x3"]
    assert not coded.isna().any().any()
    pd.testing.assert_frame_equal(from_ctgan(coded, frame), frame)


def test_whole_numbers_stay_whole(table):
    frame, _ = table
    coded, _ = to_ctgan(frame)
    assert (from_ctgan(coded.assign(x0=coded["x0"] + 0.3), frame)["age"] == frame["age"]).all()


def test_adasyn_keeps_kinds_and_missingness(table):
    frame, event = table
    made = adasyn_cases(frame, event, seed=0)
    assert abs(len(made) - 60) < 10
    assert (made.dtypes == frame.dtypes).all()
    assert (made["age"] % 1 == 0).all()
    assert made["age"].between(frame["age"].min(), frame["age"].max()).all()
    assert 0.1 < made["lab"].isna().mean() < 0.5
    assert 0.05 < made["grade"].isna().mean() < 0.5
    pd.testing.assert_frame_equal(made, adasyn_cases(frame, event, seed=0))


def test_adasyn_does_not_apply_to_unordered_levels(table):
    frame, _ = table
    assert adasyn_applies(frame)
    assert not adasyn_applies(frame.assign(ward=pd.Categorical(["A", "B", "C"] * 40)))


@pytest.mark.skipif(find_spec("ctgan") is None, reason="package ctgan is not installed")
@pytest.mark.parametrize("kind", ["tvae", "ctgan"])
def test_the_package_makes_typed_rows_from_a_seed(table, kind):
    frame, event = table
    cases = frame[event == 1].reset_index(drop=True)
    made = ctgan_cases(kind, cases, n=50, seed=3, epochs=2)
    assert len(made) == 50
    assert (made.dtypes == frame.dtypes).all()
    pd.testing.assert_frame_equal(made, ctgan_cases(kind, cases, n=50, seed=3, epochs=2))
