"""Ranges let new patients in, catch another unit, and follow the quantity where a name tells it."""

import numpy as np
import pandas as pd
import pytest

from mgvae.draft.columns import draft_column
from mgvae.draft.ranges import from_quantiles, quantity, with_range
from mgvae.draft.scan import Seen


def entry(name, cells):
    codes, values = pd.factorize(pd.Series(cells, dtype=object).map(str, na_action="ignore"), sort=True)
    seen = Seen(name, tuple(values), codes)
    return with_range(seen, draft_column(seen))


def bounds(values, **options):
    found, counts = np.unique(np.asarray(values, dtype=float), return_counts=True)
    return from_quantiles(found, counts, **options)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("age", "an age in years"),
        ("AgeAtAdmission", "an age in years"),
        ("arterial_ph", "a pH"),
        ("sbp_admission", "a systolic blood pressure"),
        ("hr", "a heart rate"),
        ("year_of_birth", "a calendar year"),
        *(
            (name, None)
            for name in (
                "stage",
                "age_months",
                "age_group",
                "phosphate",
                "hr_worked",
                "gcs_motor",
                "weight",
                "years_of_school",
                "x",
            )
        ),
    ],
)
def test_the_quantity_that_a_name_tells(name, known):
    assert (found := quantity(name)) == known or found.name == known


@pytest.mark.parametrize(
    ("name", "cells", "limits"),
    [
        ("age", [18, 40.5, 96], (0, 120)),
        ("ph", [7.1, 7.4, 7.5], (6.5, 8)),
        ("temperature", [36.5, 38.1, 41], (25, 45)),
        ("temperature", [97.5, 98.6, 104], (77, 113)),
        ("height", [1.5, 1.72, 1.9], (0.3, 2.6)),
        ("height", [150, 172.5, 190], (30, 260)),
    ],
)
def test_limits_of_the_quantity_in_the_unit_that_fits(name, cells, limits):
    found = entry(name, cells * 30)
    assert (found.range, found.notes) == (limits, ())


def test_values_beyond_the_limits_are_pointed_at_and_pass():
    found = entry("age", [20.5, 40, 60, 80] * 30 + [131])
    assert found.range[1] >= 131
    assert any("1 rows lie beyond 0 to 120 years: errors" in note for note in found.notes)
    assert any("another unit?" in note for note in entry("age", [200.5, 400, 900] * 30).notes)


@pytest.mark.parametrize(("name", "code", "limits"), [("ph", -1, (6.5, 8)), ("birth_year", 9999, (1850, 2150))])
def test_a_number_that_cannot_be_is_a_code(name, code, limits):
    sound = [1950 + row % 40 for row in range(60)] if name == "birth_year" else [7.1 + row % 40 / 100 for row in range(60)]
    found = entry(name, [*sound, *[code] * 180])
    assert (found.missing_codes, found.range) == ((code,), limits)
    assert found.max_missing == 0.95
    assert found.predicts


RNG = np.random.default_rng(0)
UNITS = {  # values, and what makes another unit of them
    "weight in pounds": (RNG.normal(75, 14, 2000).clip(38, 160), 2.205),
    "creatinine in umol/l": (np.exp(RNG.normal(0, 0.35, 2000)), 88.4),
    "glucose in mg/dl": (np.exp(RNG.normal(1.75, 0.25, 2000)), 18.0),
    "haemoglobin in g/l": (RNG.normal(13.5, 1.8, 2000), 10.0),
    "sodium in mg/dl": (RNG.normal(139, 4, 2000), 2.3),
    "a tenfold count": (RNG.poisson(3, 2000), 10.0),
}


@pytest.mark.parametrize("case", list(UNITS))
def test_a_change_of_unit_is_caught_in_both_directions(case):
    values, factor = UNITS[case]
    low, high = bounds(values)
    assert (values * factor > high).any()
    low, high = bounds(values * factor)
    assert (values < low).any() or low == 0


@pytest.mark.parametrize("case", list(UNITS))
def test_new_patients_are_let_in(case):
    values, _ = UNITS[case]
    low, high = bounds(values[:1000])
    assert low <= values.min()
    assert values.max() <= high


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 4], (0.5, 8.0)),
        ([0, 1, 2], (0, 4.0)),
        ([-2, 0, 2], (-6.0, 6.0)),
        ([-4, -3, -2], (-6.0, 0)),
        ([0, 0, 0, 5], (0, 15.0)),
        ([1e-9, 2e-9, 4e-9], (5e-10, 8e-9)),
    ],
)
def test_bounds(values, expected):
    assert bounds(values) == pytest.approx(expected, rel=1e-9)


def test_a_small_count_may_be_zero():
    assert bounds([1, 2, 3], count=True)[0] == 0
    assert bounds([1, 2, 3])[0] > 0
    assert bounds([11, 20, 30], count=True)[0] > 0


def test_a_range_has_no_bound_beyond_all_numbers():
    assert bounds([-1e308, 0, 1e308]) is None
    assert bounds([0, 1, 1e308]) == (0, None)
