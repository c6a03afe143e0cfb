"""The data dictionary: what an entry may say, and the one spelling of levels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mgvae.config.dictionary import Column, Dictionary, canonical, read_dictionary
from mgvae.config.strict import build
from mgvae.errors import ConfigError


def entry(**values):
    return build(Dictionary, {"columns": {"x": values}}, source="dictionary.yaml")["x"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "columns.x.kind: this key is required; add it."),
        ({"kind": "contiuous"}, "columns.x.kind: Input should be 'continuous', 'count'"),
        ({"kind": "continuous", "units": "kg"}, "columns.x.units: unknown key. Did you mean 'unit'?"),
        ({"kind": "continuous", "range": [3, 1]}, "columns.x.range: the lower bound must be below the upper one"),
        ({"kind": "continuous", "range": [0, float("inf")]}, "a bound must be a finite number; write null for no bound"),
        ({"kind": "binary", "range": [0, 1]}, "a range belongs to continuous and count columns; this one is binary"),
        ({"kind": "categorical"}, "a column of kind categorical needs its categories"),
        ({"kind": "ordinal"}, "a column of kind ordinal needs its categories, in order"),
        (
            {"kind": "count", "categories": [1, 2]},
            "categories belong to binary, categorical, ordinal columns; this one is count",
        ),
        ({"kind": "categorical", "categories": [1, "1"]}, "each category must be named once"),
        ({"kind": "binary", "categories": ["a", "b", "c"]}, "a binary column has exactly two categories"),
        ({"kind": "categorical", "categories": ["a"]}, "at least two categories are needed"),
        ({"kind": "count", "max_missing": 1.5}, "columns.x.max_missing: Input should be less than or equal to 1 (got 1.5)"),
        ({"kind": "count", "role": "subgroup", "cuts": [3, 3]}, "columns.x.cuts: must be finite numbers in ascending order"),
        ({"kind": "count", "role": "subgroup", "cuts": []}, "columns.x.cuts: must be finite numbers in ascending order"),
        ({"kind": "count", "role": "subgroup", "cuts": [float("nan")]}, "columns.x.cuts: must be finite numbers"),
        ({"kind": "count", "cuts": [3]}, "cuts belong to continuous and count columns with the role subgroup"),
        ({"kind": "binary", "role": "subgroup", "cuts": [1]}, "cuts belong to continuous and count columns"),
        ({"kind": "count", "role": "predictor"}, "columns.x.role.0: Input should be 'feature', 'subgroup'"),
    ],
)
def test_each_mistake_is_a_sentence_that_names_the_column(values, sentence):
    with pytest.raises(ConfigError) as caught:
        entry(**values)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("bounds", [[None, 3], [0, None], [None, None], None])
def test_open_ranges(bounds):
    assert entry(kind="continuous", range=bounds).range == (None if bounds is None else tuple(bounds))


def test_one_role_or_many():
    assert entry(kind="count", role="subgroup").role == ("subgroup",)
    assert entry(kind="count", role=["feature", "subgroup"]).role == ("feature", "subgroup")
    assert entry(kind="count").role == ("feature",)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ({"kind": "binary"}, (0, 1)),
        ({"kind": "binary", "categories": ["no", "yes"]}, ("no", "yes")),
        ({"kind": "ordinal", "categories": ["low", "high"]}, ("low", "high")),
        ({"kind": "count"}, ()),
    ],
)
def test_levels(values, levels):
    assert entry(**values).levels == levels


def test_features_in_order_and_roles():
    columns = {
        "id": {"kind": "count", "role": "identifier"},
        "b": {"kind": "count"},
        "sex": {"kind": "binary", "role": ["feature", "subgroup"]},
        "a": {"kind": "count", "role": "excluded"},
    }
    dictionary = build(Dictionary, {"columns": columns}, source="here")
    assert list(dictionary.features) == ["b", "sex"]
    assert [name for name, _ in dictionary.with_role("subgroup", "identifier")] == ["id", "sex"]
    assert "b" in dictionary
    assert "c" not in dictionary


def test_an_unknown_column_names_the_nearest():
    dictionary = Dictionary(columns={"creatinine": Column(kind="continuous")})
    with pytest.raises(ConfigError, match=r"has no column 'creatinin'. Did you mean 'creatinine'\?"):
        dictionary["creatinin"]


def test_an_empty_dictionary(tmp_path):
    path = tmp_path / "dictionary.yaml"
    path.write_text("columns: {}\n")
    with pytest.raises(ConfigError, match="columns: must name at least one column"):
        read_dictionary(path)


def test_a_dictionary_from_a_file(tmp_path):
    path = tmp_path / "dictionary.yaml"
    path.write_text("columns:\n  age: {kind: continuous, unit: years, range: [18, 110], missing_codes: [-9, '?']}\n")
    assert read_dictionary(path)["age"] == Column(kind="continuous", unit="years", range=(18, 110), missing_codes=(-9, "?"))


@pytest.mark.parametrize(
    ("level", "spelling"),
    [(1, "1"), (1.0, "1"), (True, "1"), (False, "0"), (1.5, "1.5"), ("010", "010"), (" a ", "a"), ("1.0", "1.0"), (-9.0, "-9")],
)
def test_canonical(level, spelling):
    assert canonical(level) == spelling


@given(st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()))
def test_canonical_is_settled_after_once(level):
    assert canonical(canonical(level)) == canonical(level)


@given(st.integers(-(2**53), 2**53))
def test_the_number_type_of_a_level_carries_no_meaning(number):
    assert canonical(number) == canonical(float(number)) == canonical(str(number))
