"""Tests of the extract as stage validate writes it and stage split reads it: in parts, and the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.study.stages import split, validate
from flows.study.stages.stage import FRAME
from mgvae.cohort.build import build_cohort
from mgvae.cohort.files import load_cohort
from mgvae.config.study import load_config
from mgvae.extract import parquet_file
from mgvae.extract.read import read_extract
from tests.flows.simulated_study import table, write_study


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return load_config(write_study(tmp_path_factory.mktemp("study"), table(400, 40)))


def test_a_frame_written_in_groups_of_rows_is_the_frame(config, tmp_path, monkeypatch):
    frame = read_extract(config).frame
    for rows in (1 << 17, 150, 400):
        monkeypatch.setattr(validate, "ROWS", rows)
        validate._write(frame, tmp_path / FRAME)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / FRAME), frame)


def test_an_extract_read_in_batches_is_the_one_read_at_once(config, tmp_path, monkeypatch):
    whole = read_extract(config)
    pd.read_csv(config.extract).to_parquet(tmp_path / "extract.parquet")
    stored = config.model_copy(update={"extract": str(tmp_path / "extract.parquet")})
    at_once = read_extract(stored)
    monkeypatch.setattr(parquet_file, "ROWS", 90)
    in_batches = read_extract(stored)
    pd.testing.assert_frame_equal(in_batches.frame, at_once.frame)
    pd.testing.assert_frame_equal(in_batches.unreadable, at_once.unreadable)
    assert len(in_batches.frame) == len(whole.frame)


def test_the_split_reads_the_cohort_of_the_whole_frame(config, tmp_path):
    for stage in (validate.STAGE, split.STAGE):
        (tmp_path / stage.name).mkdir()
        stage.make(config, {name: tmp_path / name for name in stage.needs}, tmp_path / stage.name)
    found, _ = load_cohort(tmp_path / "split")
    expected = build_cohort(config, pd.read_parquet(tmp_path / "validate" / FRAME))
    for name in ("features", "subgroups"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))
    for name in ("event", "subject", "group"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    bare, _ = load_cohort(tmp_path / "split", features=False)
    assert bare.features.shape == (len(found), 0)
