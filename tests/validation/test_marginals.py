import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mgvae.config.dictionary import Column
from tests.validation.simulated_patients import draw_patients
from validation.fidelity import marginals


def plain(*arguments):
    return [marginal.model_dump(mode="json") for marginal in marginals(*arguments)]


@pytest.fixture
def records(rng, config):
    tables = draw_patients(rng, 3000, cases=False), draw_patients(rng, 60, cases=True), draw_patients(rng, 500, cases=True)
    return {record["column"]: record for record in plain(*tables, config.columns.features)}, tables


def test_shares_sum_to_one_and_fit_their_axis(records):
    for record in records[0].values():
        bins = len(record["levels"]) if record["kind"] == "levels" else len(record["edges"]) - 1
        for group in ("majority", "cases", "synthetic"):
            assert len(record[group]) == bins
            assert sum(record[group]) == pytest.approx(1)
    assert json.loads(json.dumps(records[0])) == records[0]


def test_distances_agree_with_their_definitions(records):
    found, (_, cases, synthetic) = records
    outside = stats.ks_2samp(cases["lab0"], synthetic["lab0"]).statistic
    assert found["lab0"]["distance"] == pytest.approx(outside)
    gap = cases["region"].value_counts(normalize=True) - synthetic["region"].value_counts(normalize=True)
    assert found["region"]["distance"] == pytest.approx(gap.abs().sum() / 2)


def test_missing_shares(records):
    found, (majority, _, synthetic) = records
    assert found["lab7"]["missing"]["majority"] == pytest.approx(majority["lab7"].isna().mean())
    assert found["region"]["missing"]["synthetic"] == pytest.approx(synthetic["region"].isna().mean())


def test_edges_are_round_and_few_and_no_extreme_value(records):
    found, (majority, *_) = records
    edges = found["lab5"]["edges"]
    assert 8 <= len(edges) - 1 <= 25
    steps = np.diff(edges)
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert edges[-1] < majority["lab5"].max()
    assert np.mod(found["visits0"]["edges"], 1).tolist() == [0.0] * len(found["visits0"]["edges"])


def test_what_lies_outside_counts_in_the_outermost_bin():
    real = pd.DataFrame({"x": np.linspace(0, 1, 200)})
    synthetic = pd.DataFrame({"x": [-99.0, 99.0, 99.0, np.nan]})
    (record,) = plain(real, real, synthetic, {"x": Column(kind="continuous", label="Lab", unit="g")})
    assert (record["synthetic"][0], record["synthetic"][-1]) == pytest.approx((1 / 3, 2 / 3))
    assert (record["label"], record["unit"], record["missing"]["synthetic"]) == ("Lab", "g", 0.25)


@pytest.mark.parametrize("kind", ["continuous", "count", "date"])
@pytest.mark.parametrize("values", [[7.0, 7.0], [np.nan, np.nan], [0.0, 0.0], [1e-9, 2e-9], [-5e8, 5e8]])
def test_degenerate_columns(values, kind):
    frame = pd.DataFrame({"x": values})
    (record,) = plain(frame, frame, frame, {"x": Column(kind=kind)})
    known = not np.isnan(values[0])
    assert sum(record["cases"]) == pytest.approx(1.0 if known else 0.0)
    assert record["distance"] == (0.0 if known else None)
    assert len(record["edges"]) <= 50


def test_a_wholly_missing_level_column_has_no_distance():
    levels = pd.CategoricalDtype(["0", "1"])
    real, empty = (pd.DataFrame({"x": pd.Series(cells, dtype=levels)}) for cells in (["0", "1"], [None, None]))
    (record,) = plain(real, real, empty, {"x": Column(kind="binary")})
    assert (record["synthetic"], record["distance"]) == ([0.0, 0.0], None)


def test_a_group_without_rows_has_no_missing_share():
    real = pd.DataFrame({"x": [1.0, 2.0]})
    (record,) = plain(real, real, real.iloc[:0], {"x": Column(kind="continuous")})
    assert (record["missing"]["synthetic"], record["distance"]) == (None, None)
