"""Subgroups: levels, bands and sites partition the cohort; none is named for fewer than five patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.build import build_cohort
from mgvae.cohort.subgroups import cut_points, subgroups_of
from mgvae.config.study import CohortConfig

COLUMNS = {
    "hospital": {"role": "identifier", "label": "Hospital"},
    "died": {"kind": "binary", "role": "excluded"},
    "age": {"kind": "continuous", "role": ["feature", "subgroup"], "label": "Age", "cuts": [40, 65]},
    "crp": {"kind": "continuous", "role": "subgroup"},
    "sex": {"kind": "binary", "role": ["feature", "subgroup"], "categories": ["f", "m"]},
    "born": {"kind": "date", "role": "subgroup"},
}


def config(**changes):
    values = {"study": "s", "extract": "e.csv", "subject_id": None, "group": "hospital", "outcome": {"column": "died"}}
    return CohortConfig.model_validate(values | {"columns": {"columns": COLUMNS}} | changes)


def cohort(n=400, *, sites=(200, 150, 50), few=0):
    rng = np.random.default_rng(0)
    hospital = np.repeat([f"h{place}" for place in range(len(sites))], sites)
    frame = pd.DataFrame(
        {
            "hospital": hospital,
            "died": pd.Series(np.where(np.arange(n) % 10 == 0, "1", "0")),
            "age": rng.choice([39.9, 40.0, 64.9, 65.0], n),
            "crp": np.where(np.arange(n) < 20, np.nan, np.arange(n, dtype=float)),
            "sex": np.where(np.arange(n) < few, "m", "f"),
            "born": pd.Timestamp("2000-01-01"),
        }
    )
    return build_cohort(config(), frame)


def found(cohort, config=config(), **options):  # noqa: B008 - frozen
    return subgroups_of(cohort, config, cut_points(cohort, config))


def test_levels_bands_and_sites_partition_the_subjects():
    made = found(cohort(few=100))
    columns = {one.column for one in made}
    assert columns == {"age", "crp", "sex", "hospital"}  # no dates
    for column in columns:
        assert np.sum([one.member for one in made if one.column == column], axis=0).tolist() == [1] * 400
    assert {one.label for one in made} == {"Age", "crp", "sex", "Hospital"}


def test_stated_cuts_belong_to_the_band_above():
    made = cohort()
    bands = {one.level: one.member for one in found(made) if one.column == "age"}
    assert list(bands) == ["below 40", "40 to below 65", "65 and above"]
    age = made.subgroups["age"]
    assert (bands["below 40"] == (age == 39.9)).all()
    assert (bands["40 to below 65"] == age.isin([40.0, 64.9])).all()


def test_without_cuts_numbers_are_cut_at_the_training_part_s_quartiles():
    made = cohort()
    cuts = cut_points(made.take(np.arange(400) < 221), config())["crp"]
    assert cuts == pytest.approx((70, 120, 170))
    bands = [one for one in subgroups_of(made, config(), cut_points(made, config())) if one.column == "crp"]
    names = ["below 114.8", "114.8 to below 209.5", "209.5 to below 304.2", "304.2 and above", "missing"]
    assert [one.level for one in bands] == names
    assert [int(one.member.sum()) for one in bands] == [95, 95, 95, 95, 20]


@pytest.mark.parametrize("values", [[np.nan] * 400, [3.0] * 400])
def test_a_number_without_spread_is_not_cut(values):
    made = cohort()
    made.subgroups["crp"] = values
    assert [one.level for one in found(made) if one.column == "crp"] == (["missing"] if np.isnan(values[0]) else ["all"])


@pytest.mark.parametrize(("few", "levels"), [(0, ["f"]), (4, ["f"]), (5, ["f", "m"])])
def test_a_level_of_fewer_than_five_is_not_named(few, levels):
    assert [one.level for one in found(cohort(few=few)) if one.column == "sex"] == levels


def test_small_groups_are_put_together_where_that_makes_five():
    made = cohort(few=3)
    made.subgroups.loc[100:101, "sex"] = np.nan
    assert [(one.level, int(one.member.sum())) for one in found(made) if one.column == "sex"] == [("f", 395), ("other", 5)]


@pytest.mark.parametrize(
    ("sites", "named"),
    [
        ((200, 100, 100), True),
        ((300, 99, 1), False),  # one of a hundred is no comparison
        ((100, 100, *[10] * 18, 20), False),  # 21 are not few
        ((100, 100, *[10] * 16, 20, 20), True),  # 20 are
        ((1,) * 400, False),
    ],
)
def test_groups_are_sites_where_they_are_few_and_large(sites, named):
    made = [one for one in found(cohort(sites=sites)) if one.column == "hospital"]
    assert bool(made) == named
    if named:
        assert len(made) == len(sites)


def test_without_a_group_there_are_no_sites():
    made = cohort()
    assert "hospital" not in {one.column for one in found(made, config(group=None))}
