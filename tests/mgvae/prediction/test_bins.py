"""The training patients counted by predictor: every cell in one bin, and no small group in the model's file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.prediction.bins import FEWEST, ColumnBins, fit_bins
from validation.stability import binned


def levels(codes, names="abc"):
    return pd.Series(pd.Categorical.from_codes(codes, list(names)))


@pytest.mark.parametrize("missing", [0, 30])
def test_numbers_are_counted_as_drift_counts_them(missing):
    """Outside reference: the deciles of the gates on drift."""
    rng = np.random.default_rng(0)
    before, after = pd.Series(rng.normal(size=500)), pd.Series(rng.normal(size=400) + 0.5)
    before.iloc[:missing] = np.nan
    bins = fit_bins(pd.DataFrame({"x": before}))["x"]
    counted = binned(before, after)
    assert [n for n in bins.counts if n] == counted.before.tolist()
    assert bins.count(after)[: len(counted.after) - bool(missing)].tolist() == counted.after.tolist()[:10]
    assert bins.counts[-1] == missing
    again = ColumnBins.model_validate_json(bins.model_dump_json())
    assert again == bins


def test_a_limit_belongs_to_the_bin_below_it():
    bins = ColumnBins(edges=[1.0, 2.0], counts=[0, 0, 0, 0])
    assert bins.count(pd.Series([0.5, 1.0, 1.5, 2.0, 2.5, np.nan])).tolist() == [2, 2, 1, 1]


def test_levels_of_few_patients_and_unknown_cells_share_a_bin():
    column = levels([0] * 50 + [1] * (FEWEST - 1) + [2] * FEWEST + [-1] * 3)
    bins = fit_bins(pd.DataFrame({"ward": column}))["ward"]
    assert (bins.levels, bins.counts) == (["a", "c"], [50, FEWEST, FEWEST - 1, 3])
    assert bins.count(levels([1, 1, 0, -1])).tolist() == [1, 0, 2, 1]


def test_a_constant_and_an_empty_column_have_bins():
    frame = pd.DataFrame({"same": [3.0] * 20, "none": [np.nan] * 20, "level": levels([-1] * 20)})
    assert {name: one.counts for name, one in fit_bins(frame).items()} == {
        "same": [20, 0, 0],
        "none": [0, 20],
        "level": [0, 20],
    }
