"""A user's own classifier through the evaluation, and as the model that is recommended."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mgvae.cohort.rows import rows
from mgvae.errors import CheckpointError, ConfigError, TrainingError
from mgvae.evaluation.deployed_model import EVALUATED, fit_deployed, load_deployed, save_deployed
from mgvae.evaluation.evaluate import evaluate
from tests.mgvae.evaluation.test_deployed_model import cohort, config

PLACE = "tests.mgvae.classifiers.own_examples"
ARMS = ["none", "class_weight", "random_oversampling"]


def study(**own):
    classifiers = ["logistic_regression", *({name: f"{PLACE}:{factory}"} for name, factory in own.items())]
    settings = {"arms": ARMS, "classifiers": classifiers, "folds": 3, "repeats": 1, "bootstrap": 60}
    return config(evaluation=settings)


@pytest.fixture(autouse=True)
def unrestricted(monkeypatch):
    for name in ("MGVAE_CLASSIFIERS", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def people():
    made = cohort(600)
    return made, made.group >= 150


def test_where_it_takes_no_weights_the_pair_is_left_out_and_named(people):
    made, test = people
    train, held = (rows(part.features, part.event, part.group) for part in (made.take(~test), made.take(test)))
    found, _ = evaluate(train, held, study(near="unweighted"))
    assert {arm: set(by) for arm, by in found.arms.items()} == {
        "none": {"logistic_regression", "near"},
        "class_weight": {"logistic_regression"},
        "random_oversampling": {"logistic_regression", "near"},
    }
    assert found.unavailable == {}
    assert set(found.contrasts.against["class_weight"]) == {"logistic_regression"}
    assert set(found.holdout.arms["class_weight"]) == {"logistic_regression"}
    named = [
        one for one in found.remarks if one.startswith("Arm 'class_weight' was not run with 'near'. Classifier 'near' takes")
    ]
    assert len(named) == 1
    assert any("'near' is the user's own" in one for one in found.remarks)


def test_without_correction_it_must_work(people):
    made, _ = people
    all_rows = rows(made.features, made.event, made.group)
    with pytest.raises(TrainingError, match="Classifier 'picky': fit must not fail; got ValueError"):
        evaluate(all_rows, None, study(picky="Picky"))


def test_a_refusal_stops_the_evaluation_before_anything_is_fitted(people, monkeypatch):
    made, _ = people
    monkeypatch.setenv("MGVAE_ROOTS", "/data")
    with pytest.raises(ConfigError, match="MGVAE_CLASSIFIERS must list"):
        evaluate(rows(made.features, made.event, made.group), None, study(tree="tree"))


def test_recommended_it_is_saved_as_a_recipe_beside_its_predictions(people, tmp_path):
    made, test = people
    chosen = study(tree="tree")
    models = [
        fit_deployed(part, chosen, arm="class_weight", classifier="tree", refitted=whole)
        for part, whole in ((made.take(~test), False), (made, True))
    ]
    save_deployed(tmp_path, models[0], made, test, refitted=models[1])
    written = pd.read_parquet(tmp_path / "predictions.parquet")["probability"]
    np.testing.assert_array_equal(written, models[0].predict(made.features[test]))
    recipes = [json.loads((tmp_path / name).read_text())["scorer"] for name in (EVALUATED, "model.json")]
    assert [one["type"] for one in recipes] == ["recipe", "recipe"]
    assert recipes[0]["trained_on"] != recipes[1]["trained_on"]
    loaded = load_deployed(tmp_path)
    with pytest.raises(CheckpointError, match=r"only the recipe is saved\. Fit it again, or recommend among the built-in"):
        loaded.predict(made.features)
    portable = fit_deployed(made, chosen, arm="none", classifier="logistic_regression")
    assert loaded.obstacle(portable) == "its classifier is the user's own, of which only the recipe is saved"
    assert portable.obstacle(portable) is None
