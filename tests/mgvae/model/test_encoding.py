"""Encoding: the inverse gives back every training value, and nothing but the training rows' marginals is learned."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from mgvae.config.dictionary import Column
from mgvae.errors import ShapeError, TrainingError
from mgvae.model.encoding import encoding_from_json, fit_encoding
from tests.mgvae.small_cohort import COLUMNS, levels, mixed

NUMBER = {"x": Column(kind="continuous")}
ONCE = settings(max_examples=150, deadline=None)


def number(values):
    return pd.DataFrame({"x": np.asarray(values, dtype=float)})


def round_trip(features, columns):
    encoding = fit_encoding(features, columns)
    return encoding.decode(encoding.encode(features))


def assert_exact(values):
    frame = number(values)
    pd.testing.assert_frame_equal(round_trip(frame, NUMBER), frame, check_exact=True)


@st.composite
def decimals(draw):
    """Laboratory values: whole steps of some power of ten, often many that are distinct."""
    places = draw(st.integers(0, 4))
    size = draw(st.sampled_from([1, 2, 30, 700, 3000]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    top = draw(st.sampled_from([10, 1000, 10**6, 10**9]))
    return np.round(rng.integers(-top, top, size) / 10.0**places, places)


@st.composite
def heavy_tails(draw):
    """Skewed laboratory values with a mass at zero and a few far out, recorded to some decimals."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = np.round(rng.standard_cauchy(draw(st.sampled_from([20, 600, 4000]))) ** 2 * 10, draw(st.integers(0, 2)))
    return np.where(rng.random(len(values)) < draw(st.floats(0, 0.9)), 0.0, values)


@ONCE
@given(decimals())
def test_round_trip_of_decimals(values):
    assert_exact(values)


@ONCE
@given(heavy_tails())
def test_round_trip_of_heavy_tails_with_a_mass_at_zero(values):
    assert_exact(values)


@ONCE
@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=80))
def test_round_trip_of_any_finite_numbers_up_to_512_distinct(values):
    assert_exact([np.nan if value is None else value for value in values])


def test_many_distinct_full_precision_values_come_back_to_float_precision():
    values = np.random.default_rng(0).lognormal(0, 2, 5000)
    back = round_trip(number(values), NUMBER)["x"].to_numpy()
    np.testing.assert_allclose(back, values, rtol=1e-9)


@pytest.mark.parametrize(
    "values", [[7.0] * 20, [np.nan] * 20, [np.nan, 3.5, 3.5], [0.1]], ids=["constant", "all missing", "two", "one row"]
)
def test_round_trip_of_degenerate_columns(values):
    assert_exact(values)


def test_round_trip_of_every_kind():
    frame = mixed(700)
    pd.testing.assert_frame_equal(round_trip(frame, COLUMNS), frame, check_exact=True)


@pytest.mark.parametrize("kind", ["categorical", "ordinal", "binary"])
def test_round_trip_of_levels_unseen_in_training(kind):
    column = Column(kind=kind, categories=("a", "b") if kind == "binary" else ("a", "b", "c", "d"))
    ordered = kind == "ordinal"
    seen = pd.DataFrame({"x": levels(["a", "a", "a"], column, ordered=ordered)})
    assert list(round_trip(seen, {"x": column})["x"]) == ["a", "a", "a"]
    encoding = fit_encoding(seen, {"x": column})
    other = pd.DataFrame({"x": levels(["b"], column, ordered=ordered)})
    back = encoding.decode(encoding.encode(other))
    assert list(back["x"]) == (["a"] if ordered else ["b"])  # an ordinal level outside the range becomes the nearest
    assert back["x"].dtype == seen["x"].dtype


@pytest.mark.parametrize("outside", [-1e300, -np.inf, np.inf, 1e300])
def test_values_outside_the_training_range_become_the_nearest_extreme(outside):
    encoding = fit_encoding(number([2.0, 3.0, 9.0]), NUMBER)
    back = encoding.decode(encoding.encode(number([outside])))
    assert back["x"].item() == (2.0 if outside < 0 else 9.0)


@ONCE
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), decimals())
def test_any_score_decodes_to_a_value_within_the_training_range(scores, values):
    encoding = fit_encoding(number(values), NUMBER)
    back = encoding.decode(np.asarray(scores)[:, None])["x"].to_numpy()
    assert (back >= values.min()).all()
    assert (back <= values.max()).all()
    assert (np.diff(back[np.argsort(scores)]) >= 0).all()


def test_scores_of_training_rows_are_standard_normal():
    frame = number(np.random.default_rng(1).gamma(0.5, size=4000))
    score = fit_encoding(frame, NUMBER).encode(frame)[:, 0]
    assert abs(score.mean()) < 0.02
    assert score.std() == pytest.approx(1, abs=0.02)


def test_an_atom_owns_the_interval_of_its_rows():
    frame = number([0.0] * 60 + [1.0] * 25 + [5.0] * 15)
    encoding = fit_encoding(frame, NUMBER)
    row = encoding.encode(number([1.0]))[0]
    np.testing.assert_allclose(norm.cdf(row), [0.725, 0.60, 0.85], atol=1e-12)
    inside = norm.ppf(np.linspace(0.603, 0.847, 50))[:, None]
    assert (encoding.decode(inside)["x"] == 1.0).all()


def test_an_unseen_value_lies_between_its_neighbours():
    frame = number(np.repeat([0.0, 10.0, 20.0], 30))
    encoding = fit_encoding(frame, NUMBER)
    low, middle, high = encoding.encode(number([0.0, 4.0, 10.0]))[:, 0]
    assert low < middle < high
    assert encoding.decode(encoding.encode(number([4.0])))["x"].item() == 4.0


def test_only_training_rows_are_learned_from():
    frame = mixed(500)
    train = frame.iloc[:300]
    before = fit_encoding(train, COLUMNS).to_json()
    changed = frame.copy()
    changed.loc[300:, "crp"] = 1e6
    assert fit_encoding(changed.iloc[:300], COLUMNS).to_json() == before


def test_the_encoding_knows_marginals_only():
    frame = mixed(300)
    rng = np.random.default_rng(3)
    shuffled = pd.DataFrame({name: frame[name].iloc[rng.permutation(300)].reset_index(drop=True) for name in frame})
    assert fit_encoding(shuffled, COLUMNS) == fit_encoding(frame, COLUMNS)


def test_missing_values_have_an_indicator_and_nothing_else():
    frame = mixed(300)
    encoding = fit_encoding(frame, COLUMNS)
    rows = encoding.encode(frame)
    places = {place.name: place for place in encoding.slots}
    assert places["age"].missing_at is None
    for name in ("crp", "ward", "stage"):
        gone = frame[name].isna().to_numpy()
        place = places[name]
        np.testing.assert_array_equal(rows[:, place.missing_at], gone)
        assert (rows[gone, place.start : place.start + place.coder.width] == 0).all()
    assert encoding.width == rows.shape[1] == encoding.inputs + 2 * encoding.n_scored


def test_json_round_trip():
    encoding = fit_encoding(mixed(900), COLUMNS)
    text = json.dumps(encoding.to_json())
    assert encoding_from_json(json.loads(text)) == encoding


def test_a_wide_range_of_distinct_values_is_summarised():
    frame = number(np.random.default_rng(0).normal(size=20_000))
    assert len(fit_encoding(frame, NUMBER).to_json()["x"]["values"]) < 300


def test_no_rows_is_an_error():
    with pytest.raises(TrainingError, match="at least one training row"):
        fit_encoding(number([]), NUMBER)


def test_absent_columns_are_named():
    encoding = fit_encoding(mixed(50), COLUMNS)
    with pytest.raises(ShapeError, match="absent: crp, stage"):
        encoding.encode(mixed(5).drop(columns=["crp", "stage"]))


def test_rows_that_are_too_narrow_are_refused():
    encoding = fit_encoding(mixed(50), COLUMNS)
    with pytest.raises(ShapeError, match=rf"\(n, {encoding.inputs}\) or wider; got \(2, 3\)"):
        encoding.decode(np.zeros((2, 3)))
