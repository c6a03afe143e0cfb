"""Tests of stages on a part of the majority, and of rows that lie in files: they are those of the cohort."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.study.stages import encode, finetune, pretrain, split, synthesise, validate
from flows.study.stages.cohort_rows import DASK, cohort_rows
from flows.study.stages.encoded import encoded_rows, generator_rows, majority_places
from flows.study.stages.stage import read_json
from mgvae.cohort.files import load_cohort
from mgvae.config.study import load_config
from mgvae.generator.release import load_synthetic
from mgvae.model.encoding import encoding_from_json
from tests.flows.simulated_study import table, write_study

MOST = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Run the stages up to the synthetic cases on all events and ``MOST`` others."""
    short = {f"training__{name}": 1 for name in ("pretrain_epochs", "finetune_epochs", "latent_dim")}
    folder, place = tmp_path_factory.mktemp("study"), tmp_path_factory.mktemp("made")
    config = load_config(write_study(folder, table(400, 40), evaluation__majority_rows=MOST, **short))
    for stage in (one.STAGE for one in (validate, split, encode, pretrain, finetune, synthesise)):
        (place / stage.name).mkdir()
        stage.make(config, {name: place / name for name in stage.needs}, place / stage.name)
    return config, place


def test_the_generator_learns_from_all_events_and_a_part_of_the_others(made):
    _, place = made
    cohort, test = load_cohort(place / "split")
    train, rows = cohort.take(~test), encoded_rows(place / "encode")
    assert rows.event.sum() == train.events
    assert MOST - 10 < len(rows.majority) <= MOST < len(train) - train.events
    encoding = encoding_from_json(read_json(place / "encode" / "encoding.json"))
    majority, cases = train.take(~train.event).take(rows.places), train.take(train.event)
    for part, of_part, group in (
        (majority, rows.majority, rows.majority_group),
        (cases, rows.rows[rows.event], rows.group[rows.event]),
    ):
        np.testing.assert_array_equal(encoding.encode(part.features, dtype=np.float32), of_part.numpy())
        assert len(set(zip(part.group, group, strict=True))) == len(set(group)), "the same groups, renumbered"


def test_parents_are_counted_among_all_training_patients_without_the_event(made):
    _, place = made
    majority, parents = encoded_rows(place / "encode").places, load_synthetic(place / "synthesise").parent
    assert set(parents) <= set(majority)
    assert len(set(parents)) > 20


def test_places_among_the_majority():
    event = np.array([0, 1, 0, 0, 1, 0])
    assert majority_places(event, np.array([1, 2, 4, 5])).tolist() == [1, 3]
    assert majority_places(event, np.arange(6)).tolist() == [0, 1, 2, 3]


def test_rows_in_files_and_in_memory_are_those_of_the_cohort(made, tmp_path, monkeypatch):
    _, place = made
    (tmp_path / "stage").mkdir()
    cohort, test = load_cohort(place / "split")
    with cohort_rows(place / "split", tmp_path / "stage") as stored:
        in_files = {side: part.take(np.arange(len(part))) for side, part in stored.sides.items()}
    assert [path.name for path in tmp_path.iterdir()] == ["stage"], "nothing of a patient is left behind"
    assert not any((tmp_path / "stage").iterdir())
    monkeypatch.setenv(DASK, "tcp://127.0.0.1:1")
    with cohort_rows(place / "split", tmp_path / "stage") as in_memory:
        for side, chosen in (("train", ~test), ("test", test)):
            part, own = in_files[side], cohort.take(chosen)
            pd.testing.assert_frame_equal(part.features, own.features)
            pd.testing.assert_frame_equal(part.features, in_memory.sides[side].features)
            np.testing.assert_array_equal(part.event, own.event)
            np.testing.assert_array_equal(part.group, in_memory.sides[side].group)


def test_without_a_limit_all_are_drawn(made):
    config, _ = made
    everyone = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"majority_rows": None})})
    event = np.repeat([1, 0], [5, 500])
    np.testing.assert_array_equal(generator_rows(event, np.arange(505), everyone), np.arange(505))
    assert len(generator_rows(event, np.arange(505), config)) == 5 + MOST
