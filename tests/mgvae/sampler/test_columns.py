"""Every dtype that a user meets comes back as it was, with plausible values; what cannot be learned is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.sampler.table_types import MOST_LEVELS, read_frame
from tests.mgvae.sampler.sampler_tables import MAJORITY, RARE, every_dtype, labels, quick, small

COLUMNS = every_dtype()
ROUNDED = {"large", "large or missing", "largest", "centuries in ns", "unsigned"}  # spans beyond 2^53 steps


@pytest.fixture(scope="module")
def resampled():
    """One table with every column, resampled."""
    return quick({1: 4 * MAJORITY}, plausibility="matched").fit_resample(pd.DataFrame(COLUMNS), labels())[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_rows_given_come_first_and_unchanged(resampled, name):
    pd.testing.assert_series_equal(resampled[name].iloc[: MAJORITY + RARE], COLUMNS[name], check_names=False)


@pytest.mark.parametrize("name", COLUMNS)
def test_made_values_lie_within_those_seen(resampled, name):
    seen, made = COLUMNS[name].dropna(), resampled[name].iloc[MAJORITY + RARE :]
    assert len(made) == 4 * MAJORITY - RARE
    assert made.isna().any() <= COLUMNS[name].isna().any()
    seen, made = list(seen), list(made.dropna())
    if read_frame(COLUMNS[name].to_frame(0)).handlers[0].column.kind in ("binary", "categorical", "ordinal"):
        assert set(made) <= set(seen)
    elif made:
        assert min(made) >= min(seen)
        assert max(made) <= max(seen)


@pytest.mark.parametrize("name", [name for name, column in COLUMNS.items() if column.isna().any()])
def test_missing_cells_are_made_where_they_occur(resampled, name):
    assert resampled[name].iloc[MAJORITY + RARE :].isna().any()


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_typed_is_restored(name):
    frame = read_frame(COLUMNS[name].to_frame(0))
    again = frame.restored(frame.typed(COLUMNS[name].to_frame(0)), np.random.default_rng(0))[0]
    if name in ROUNDED:
        assert again.dtype == COLUMNS[name].dtype
        assert (again.isna() == COLUMNS[name].isna()).all()
    else:
        pd.testing.assert_series_equal(again, COLUMNS[name], check_names=False)


@pytest.mark.parametrize("named", [None, np.nan, pd.NA])
def test_a_missing_object_stays_what_it_is(named):
    column = pd.Series(["a", "b", named] * 20, dtype=object).to_frame("o")
    made = quick({1: 200}).fit_resample(column, labels())[0]["o"].iloc[60:]
    gone = made[made.isna()]
    assert len(gone)
    assert all(one is named or (one != one and named is not pd.NA) for one in gone)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2, max_size=30))
@settings(max_examples=60, deadline=None)
def test_whole_numbers_never_leave_their_range(values):
    table = pd.Series(values, dtype="int64").to_frame(0)
    frame = read_frame(table)
    typed = frame.typed(table)
    again = frame.restored(typed, np.random.default_rng(0))[0]
    assert again.min() >= min(values)
    assert again.max() <= max(values)
    if max(values) - min(values) < 2**53:
        assert again.tolist() == values


@given(st.lists(st.sampled_from(["a", "b", "c", None, 1, 2.5, (1,)]), min_size=1, max_size=30))
@settings(max_examples=40, deadline=None)
def test_levels_are_restored(values):
    table = pd.Series(values, dtype=object).to_frame(0)
    frame = read_frame(table)
    assert frame.restored(frame.typed(table), np.random.default_rng(0))[0].tolist() == values


def test_columns_named_categorical_are_no_numbers():
    table = pd.DataFrame({"code": [10, 20, 90] * 20, "x": np.arange(60.0)})
    made = quick({1: 300}, categorical_features=["code"]).fit_resample(table, labels())[0]
    assert set(made["code"]) == {10, 20, 90}
    assert made["code"].dtype == table["code"].dtype


@pytest.mark.parametrize("which", [[0], [-2], np.array([True, False]), ("code",)])
def test_categorical_columns_are_told_by_position_mask_or_name(which):
    sampler = quick(categorical_features=which)
    sampler.fit_resample(pd.DataFrame({"code": [10, 20, 90] * 20, "x": np.arange(60.0)}), labels())
    assert sampler.frame_.handlers[0].column.kind == "categorical"
    assert sampler.frame_.handlers[1].column.kind == "continuous"


def test_beyond_the_most_levels_the_rarest_share_one():
    column = pd.Series([f"v{at}" for at in range(500)] + ["common"] * 100, dtype="str")
    handler = read_frame(column.to_frame(0)).handlers[0]
    assert handler.count == MOST_LEVELS
    assert len(handler.values) + len(handler.pooled) == 501


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pd.Series([1.0, np.inf] * 30), "Column 'bad' must hold finite numbers; got infinity in 30 cells"),
        (pd.Series([1.0, -np.inf] * 30).astype("Float64"), "Column 'bad' must hold finite numbers"),
        (pd.Series([1.0, np.inf, 2] * 20, dtype=object), "Column 'bad' must hold finite numbers"),
        (pd.Series([1j] * 60), "Column 'bad' must hold numbers, levels or times; got dtype complex128"),
        (pd.Series([[1]] * 60), "Column 'bad' must hold numbers, levels or times; got object"),
        (pd.Series([{"a": 1}] * 60), "Column 'bad' must hold numbers, levels or times; got object"),
        (pd.Series(pd.arrays.ArrowExtensionArray(pa.array([[1]] * 60))), "Column 'bad' must hold numbers, levels or times"),
        (
            pd.Series(pd.arrays.ArrowExtensionArray(pa.array([{"a": 1}] * 60))),
            "Column 'bad' must hold numbers, levels or times",
        ),
    ],
)
def test_what_cannot_be_learned_is_refused_by_name(column, match):
    with pytest.raises(ValueError, match=match):
        quick().fit_resample(small().assign(bad=column), labels())


def test_errors_quote_no_cell():
    table = small().assign(secret=pd.Series([["Jane Roe"]] * 60))
    with pytest.raises(ValueError, match="secret") as caught:
        quick().fit_resample(table, labels())
    assert "Jane" not in str(caught.value)
