"""Tests of the study of a given size: written in parts, the rows are those of the simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pyarrow import parquet

from mgvae.config.study import load_config
from tests.benchmarks import study_of_size
from tests.benchmarks.oversamplers.speed import simulated


def test_a_wide_study_in_row_groups_has_the_simulated_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(study_of_size, "ROWS", 64)
    cohort = study_of_size.write(tmp_path, 200, 60, seed=3)
    found = pd.read_parquet(tmp_path / "extract.parquet")
    first, event = simulated(200, seed=3)
    more = simulated(200, seed=4)[0].add_suffix("_1").iloc[:, :20]
    pd.testing.assert_frame_equal(found.drop(columns="event"), pd.concat([first, more], axis=1))
    np.testing.assert_array_equal(found["event"], event)
    assert parquet.ParquetFile(tmp_path / "extract.parquet").num_row_groups == 4
    assert list(load_config(cohort).columns.features) == [*first, *more]
    assert {path.name for path in tmp_path.iterdir()} == {"cohort.yaml", "dictionary.yaml", "extract.parquet"}


def test_a_narrow_study_takes_columns_of_all_kinds(tmp_path):
    study_of_size.write(tmp_path, 100, 10, seed=0)
    kept = pd.read_parquet(tmp_path / "extract.parquet").columns
    assert len(kept) == 11
    assert {name.rpartition("_")[0] for name in kept} >= {"numeric", "heavy", "whole", "binary", "levels"}
