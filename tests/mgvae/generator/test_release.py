"""A cohort survives the way to disk and back; synthetic cases are released in the extract's units and types."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mgvae.cohort.build import Cohort, FlowStep
from mgvae.cohort.files import load_cohort, save_cohort
from mgvae.config.dictionary import Column, Dictionary
from mgvae.config.study import CohortConfig
from mgvae.generator.release import LABEL, load_synthetic, released, save_synthetic, write_labelled
from mgvae.generator.synthetic import Synthetic
from tests.mgvae.small_cohort import COLUMNS, levels, mixed

EXTRA = {
    "smoker": Column(kind="binary"),
    "grade": Column(kind="ordinal", categories=(3, 1, 2)),
    "site": Column(kind="categorical", categories=("010", "10", "x y")),
}


def cohort(n=60, *, dated=True, subgroups=True):
    """Return a cohort with every kind of column and, among the levels, some that no row has."""
    features = mixed(n)
    rng = np.random.default_rng(0)
    features["smoker"] = levels(rng.choice(["0", "1"], n), EXTRA["smoker"])
    features["grade"] = levels(rng.choice(["3", "2"], n), EXTRA["grade"], ordered=True)
    features["site"] = levels(rng.choice(["010", "10"], n), EXTRA["site"])
    dates = pd.Series(pd.Timestamp("2020-02-28") + pd.to_timedelta(np.arange(n), unit="D"), name="when")
    return Cohort(
        features=features,
        event=np.arange(n) < 7,
        subject=np.array([f"p{i:03}" for i in range(n)], dtype=object),
        group=np.arange(n) // 2,
        group_name=np.array([None if i % 5 == 0 else f"f{i // 2}" for i in range(n)], dtype=object),
        subgroups=features[["sex"]] if subgroups else pd.DataFrame(index=range(n)),
        index_date=dates if dated else None,
        flow=(FlowStep(label="in the extract", n=70, events=None), FlowStep(label="outcome known", n=n, events=7)),
    )


def config(*, dated=True):
    entries = {"id": Column(kind="categorical", categories=("a", "b"), role=("identifier",)), **COLUMNS, **EXTRA}
    entries["death"] = Column(kind="binary", role=("excluded",))
    entries["when"] = Column(kind="date", role=("excluded",))
    return CohortConfig(
        study="s",
        extract="x.csv",
        subject_id="id",
        outcome={"column": "death", "event": 1},
        columns=Dictionary(columns=entries),
        index_date="when" if dated else None,
    )


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("subgroups", [True, False])
def test_round_trip_of_a_cohort(tmp_path, dated, subgroups):
    before, test = cohort(dated=dated, subgroups=subgroups), np.arange(60) % 4 == 0
    save_cohort(tmp_path, before, test)
    after, test_after = load_cohort(tmp_path)
    pd.testing.assert_frame_equal(after.features, before.features, check_exact=True)
    for name in ("ward", "stage", "grade", "site"):
        assert list(after.features[name].cat.categories) == list(before.features[name].cat.categories)
        assert after.features[name].cat.ordered == before.features[name].cat.ordered
    pd.testing.assert_frame_equal(after.subgroups, before.subgroups)
    for name in ("event", "subject", "group", "group_name"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert getattr(after, name).dtype == getattr(before, name).dtype
    np.testing.assert_array_equal(test_after, test)
    assert after.flow == before.flow
    if dated:
        np.testing.assert_array_equal(after.index_date.to_numpy(), before.index_date.to_numpy())
    else:
        assert after.index_date is None


def synthetic(before, *, n=20):
    parent = np.arange(n)[::-1] + 10
    return Synthetic(mixed_features(before, n), parent)


def mixed_features(before, n):
    return before.features.iloc[:n].reset_index(drop=True)


def test_released_rows_have_the_extracts_units_and_types():
    before = cohort()
    made = synthetic(before)
    table = released(made, config(), before)
    assert list(table.columns) == ["parent_id", *COLUMNS, *EXTRA, "death"]
    assert table["parent_id"].tolist() == [f"p{i:03}" for i in made.parent]
    assert (table["death"] == 1).all()
    assert table["visits"].dtype == "Int64"
    assert table["age"].dtype == "float64"  # whatever values were drawn: the schema is the same in every run
    assert table["crp"].dtype == np.float64
    np.testing.assert_array_equal(table["crp"], made.features["crp"])
    assert table["smoker"].dtype == table["grade"].dtype == "Int64"
    assert set(table["grade"]) <= {1, 2, 3}
    assert set(table["site"]) <= {"010", "10", "x y"}
    assert table["ward"].isna().sum() == made.features["ward"].isna().sum() > 0
    days = (table["first_seen"] - before.index_date.iloc[made.parent].reset_index(drop=True)).dt.days
    np.testing.assert_array_equal(days, made.features["first_seen"])


def test_missing_values_stay_missing():
    before = cohort()
    features = mixed_features(before, 3)
    features.loc[0, ["age", "crp", "visits", "first_seen"]] = np.nan
    for name in ("sex", "smoker", "grade", "site", "stage"):
        features.loc[0, name] = np.nan
    table = released(Synthetic(features, np.array([4, 5, 6])), config(), before)
    assert table.drop(columns=["parent_id", "death", "ward"]).iloc[0].isna().all()


def test_labelled_parquet_says_what_it_holds(tmp_path):
    before = cohort()
    table = released(synthetic(before), config(), before)
    path = tmp_path / "synthetic.parquet"
    write_labelled(table, path, note="gates passed")
    metadata = pq.read_schema(path).metadata
    assert metadata[b"mgvae.label"].decode() == LABEL
    assert metadata[b"mgvae.note"] == b"gates passed"
    assert "Not anonymous" in LABEL
    pd.testing.assert_frame_equal(pd.read_parquet(path), table, check_dtype=False)


def test_synthetic_cases_survive_the_way_to_disk_and_back(tmp_path):
    made = Synthetic(mixed(5), np.array([3, 1, 4, 1, 5]), ("Plausibility was judged on single rows.",))
    save_synthetic(made, tmp_path)
    back = load_synthetic(tmp_path)
    pd.testing.assert_frame_equal(back.features, made.features)
    np.testing.assert_array_equal(back.parent, made.parent)
    assert back.remarks == made.remarks
