"""Tests of tables that are read a column at a time: they are those that pandas reads at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.column_reader import read_by_column


@pytest.fixture
def features():
    return pd.DataFrame(
        {
            "a.b": [1.5, np.nan, -2.0, 0.0, 7.0],
            "grade": pd.Categorical(["low", None, "high", "low", "mid"], ["low", "mid", "high"], ordered=True),
            "a": [1.0, 2.0, 3.0, 4.0, 5.0],
            "text": pd.Series(["x", "y", None, "x", "z"], dtype="str"),
        }
    )


def test_a_table_read_by_column_is_the_one_that_was_written(features, tmp_path):
    features.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_by_column(tmp_path / "table.parquet"), features)
    found = read_by_column(tmp_path / "table.parquet", ["text", "absent"])
    assert isinstance(found["text"].dtype, pd.CategoricalDtype)
    assert found["text"].astype(object).where(found["text"].notna(), None).tolist() == ["x", "y", None, "x", "z"]


def test_an_index_that_was_written_is_no_column(features, tmp_path):
    features.set_axis(list("vwxyz"), axis=0).to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_by_column(tmp_path / "table.parquet"), features)


def test_a_table_without_columns_keeps_its_rows(tmp_path):
    pd.DataFrame(index=pd.RangeIndex(4)).to_parquet(tmp_path / "table.parquet")
    assert len(read_by_column(tmp_path / "table.parquet")) == len(pd.read_parquet(tmp_path / "table.parquet"))


@pytest.mark.parametrize("index", [None, "names"])
def test_each_type_of_a_wide_table_is_looked_up_once(features, index, tmp_path, monkeypatch):
    table = pd.concat([features] * 5, axis=1).set_axis([f"c{place}" for place in range(20)], axis=1)
    table = table if index is None else table.rename_axis(index=index)
    table.to_parquet(tmp_path / "table.parquet")
    looked_up: list[object] = []
    from pyarrow import pandas_compat

    lookup = pandas_compat._get_extension_dtypes
    described = lambda table, columns, *more: looked_up.extend(columns) or lookup(table, columns, *more)  # noqa: E731
    monkeypatch.setattr(pandas_compat, "_get_extension_dtypes", described)
    pd.testing.assert_frame_equal(read_by_column(tmp_path / "table.parquet"), table.rename_axis(index=None))
    assert len(looked_up) == 20
