"""Predictions come back from their files as they were."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from mgvae.errors import CheckpointError
from mgvae.evaluation.cross_validation import predict_both
from mgvae.evaluation.prediction_files import load_predictions, save_predictions
from tests.mgvae.evaluation.simulated_cohort import chain, simulated


@pytest.fixture(scope="module")
def predicted():
    found = predict_both(
        simulated(400, group_size=2), simulated(150, seed=1), chain("none", "class_weight"), n_folds=3, repeats=2, seed=0
    )
    return replace(found, inner=replace(found.inner, unavailable={"smote": "Too few."}, remarks=("Look.", "Again.")))


def same(one, other):
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        elif field.name == "probability":
            assert list(left) == list(right)
            assert all((left[key] == right[key]).all() for key in left)
        else:
            assert left == right


def test_predictions_come_back_as_they_were(predicted, tmp_path):
    save_predictions(tmp_path, predicted.inner, predicted.holdout)
    inner, holdout = load_predictions(tmp_path)
    same(predicted.inner, inner)
    same(predicted.holdout, holdout)


def test_without_a_hold_out_there_is_none(predicted, tmp_path):
    save_predictions(tmp_path, predicted.inner, None)
    assert load_predictions(tmp_path)[1] is None


def test_damaged_files_are_an_error_with_a_remedy(predicted, tmp_path):
    with pytest.raises(CheckpointError, match=r"FileNotFoundError\. Run the study again"):
        load_predictions(tmp_path)
    save_predictions(tmp_path, predicted.inner, predicted.holdout)
    file = tmp_path / "holdout_predictions.parquet"
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="must be readable and complete"):
        load_predictions(tmp_path)
