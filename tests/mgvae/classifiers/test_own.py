"""A user's own classifier: where it may come from, what is required of it, what it is given, what is kept of it."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from mgvae.classifiers.factory import Options, make
from mgvae.classifiers.import_path import identity, load_factory
from mgvae.classifiers.own import OwnModel, check_own, remarks_on
from mgvae.classifiers.portable import scorer_from_json, scorer_of
from mgvae.errors import CheckpointError, ConfigError, TrainingError
from tests.mgvae.classifiers import own_examples
from tests.mgvae.evaluation.simulated_cohort import simulated

PLACE = "tests.mgvae.classifiers.own_examples"


@pytest.fixture(autouse=True)
def unrestricted(monkeypatch):
    for name in ("MGVAE_CLASSIFIERS", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)


def own(factory, seed=0):
    return make("mine", seed, Options(own={"mine": f"{PLACE}:{factory}"}))


@pytest.mark.parametrize("factory", ["tree", "unweighted", "pipeline", "Catboost.make"])
def test_an_estimator_ranks_and_is_repeatable(factory):
    rows = simulated(800, prevalence=0.2)
    one, other = (own(factory, seed=3).fit(rows.features, rows.event).predict_proba(rows.features) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (800,)
    assert one[rows.event == 1].mean() > one[rows.event == 0].mean()


def test_the_seed_reaches_every_random_state():
    rows = simulated(400, prevalence=0.2)
    assert own("tree", seed=3).estimator.get_params()["random_state"] == 3
    assert own("pipeline", seed=2**32 - 1).estimator.get_params()["logisticregression__random_state"] == 2**31 - 1
    fits = [own("tree", seed=seed).fit(rows.features, rows.event).predict_proba(rows.features) for seed in range(4)]
    assert any(not np.array_equal(fits[0], other) for other in fits[1:])


def test_numbers_by_default_and_the_table_where_the_factory_wants_it():
    rows = simulated(300)
    own("Watching").fit(rows.features, rows.event, np.ones(300))
    X, y, weights = own_examples.GIVEN
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    np.testing.assert_array_equal(y, rows.event)
    np.testing.assert_array_equal(weights, np.ones(300))
    before = rows.features.copy()
    model = own("on_frames").fit(rows.features, rows.event)
    table, _, weights = own_examples.GIVEN
    assert isinstance(table, pd.DataFrame)
    assert weights is None
    pd.testing.assert_frame_equal(rows.features, before)
    assert model.predict_proba(rows.features).shape == (300,)


def test_unequal_weights_need_sample_weight_and_equal_ones_do_not():
    rows = simulated(300, prevalence=0.2)
    equal = own("unweighted").fit(rows.features, rows.event, np.full(300, 0.3)).predict_proba(rows.features)
    np.testing.assert_array_equal(equal, own("unweighted").fit(rows.features, rows.event).predict_proba(rows.features))
    with pytest.raises(TrainingError, match="Classifier 'mine' takes no sample_weight, which rows of unequal weight need"):
        own("unweighted").fit(rows.features, rows.event, np.linspace(1, 2, 300))
    weights = np.where(rows.event == 1, 5.0, 1.0)
    weighted = own("tree").fit(rows.features, rows.event, weights).predict_proba(rows.features)
    assert weighted.mean() > own("tree").fit(rows.features, rows.event).predict_proba(rows.features).mean() + 0.1


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("no_such_module_here:make", "must be importable where the study runs; ModuleNotFoundError"),
        (f"{PLACE}:no_such_factory", "must be importable where the study runs; AttributeError"),
        (f"{PLACE}:NOT_CALLABLE", "must be a function or class that returns an estimator; got GaussianNB"),
        (f"{PLACE}:needs_an_argument", "can copy, without arguments; TypeError"),
        (f"{PLACE}:NoEstimator", "sklearn.base.clone can copy"),
        (
            f"{PLACE}:without_probabilities",
            "must return an estimator with fit and predict_proba; got SVC without predict_proba",
        ),
        (f"{PLACE}:fitted", "must return an unfitted estimator; got a fitted one"),
        (f"{PLACE}:Breaking", "fit must not fail; got ValueError. .*invented table. Its message: cannot take the value"),
        (f"{PLACE}:Beyond", r"must give probabilities in \[0, 1\] of shape \(120, 2\); got numbers outside"),
        (f"{PLACE}:OneColumn", r"of shape \(120, 2\); got shape \(120,\)"),
    ],
)
def test_what_cannot_be_used_is_said_before_a_run(path, sentence):
    with pytest.raises(ConfigError, match=f"(?s)Classifier 'mine'.*{sentence}"):
        check_own("mine", path)


def test_remarks_say_what_a_reader_must_know():
    assert len(check_own("mine", f"{PLACE}:tree")) == 1
    assert "cannot be saved, only how it was made" in check_own("mine", f"{PLACE}:tree")[0]
    found = remarks_on({"near": f"{PLACE}:unweighted", "shaky": f"{PLACE}:Unsteady"})
    assert sum("'near' takes no sample_weight: it is not combined with class_weight" in one for one in found) == 1
    assert sum("'shaky' predicts differently after each fit" in one for one in found) == 1
    assert len(found) == 4
    assert remarks_on({}) == ()


def test_a_failure_on_patients_quotes_none_of_them():
    rows = simulated(400, prevalence=0.2)
    with pytest.raises(TrainingError, match=r"fit must not fail; got ValueError\. Try it on other data") as caught:
        own("Picky").fit(rows.features, rows.event)
    assert "age" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, True),
        ({"MGVAE_ROOTS": ""}, True),
        ({"MGVAE_ROOTS": "/data"}, False),
        ({"MGVAE_CLASSIFIERS": ""}, False),
        ({"MGVAE_CLASSIFIERS": "other, tests.mgvae.classifiers"}, True),
        ({"MGVAE_CLASSIFIERS": PLACE, "MGVAE_ROOTS": "/data"}, True),
        ({"MGVAE_CLASSIFIERS": "tests.mgvae.classifiers.own_example"}, False),
    ],
    ids=str,
)
def test_where_imports_are_restricted_only_listed_modules(monkeypatch, settings, allowed):
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    if allowed:
        assert load_factory("mine", f"{PLACE}:tree") is own_examples.tree
    else:
        with pytest.raises(ConfigError, match=f"MGVAE_CLASSIFIERS must list the module '{PLACE}' on this machine"):
            load_factory("mine", f"{PLACE}:tree")


def test_a_refused_module_is_not_run(monkeypatch, tmp_path):
    (tmp_path / "side_effect_of_import.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path))
    with pytest.raises(ConfigError, match="MGVAE_CLASSIFIERS must list"):
        load_factory("mine", "side_effect_of_import:make")
    assert "side_effect_of_import" not in sys.modules


def test_the_identity_changes_with_the_source(monkeypatch, tmp_path):
    place = tmp_path / "some_classifier.py"
    place.write_text("from sklearn.naive_bayes import GaussianNB as make\n")
    monkeypatch.syspath_prepend(tmp_path)
    first = identity("mine", "some_classifier:make")
    assert first["version"] is None
    place.write_text("from sklearn.naive_bayes import BernoulliNB as make\n")
    assert identity("mine", "some_classifier:make")["source"] != first["source"]
    assert identity("mine", "sklearn.naive_bayes:GaussianNB")["version"]
    package, about = tmp_path / "packaged", tmp_path / "packaged" / "some_package-1.5.dist-info"
    about.mkdir(parents=True)
    (package / "packaged_classifier.py").write_text("from sklearn.naive_bayes import GaussianNB as make\n")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-package\nVersion: 1.5\n")
    (about / "top_level.txt").write_text("packaged_classifier\n")
    monkeypatch.syspath_prepend(package)
    assert identity("mine", "packaged_classifier:make")["version"] == "1.5", "also on a path that is added later"


def test_what_is_saved_is_the_recipe_and_it_does_not_predict():
    rows = simulated(300, prevalence=0.2)
    model = own("tree").fit(rows.features, rows.event)
    scorer = scorer_of(model)
    np.testing.assert_array_equal(scorer.predict_proba(rows.features), model.predict_proba(rows.features))
    content = json.loads(json.dumps(scorer.to_json(), allow_nan=False))
    assert set(content) == {"type", "name", "path", "version", "source", "seed", "trained_on"}
    assert content["path"] == f"{PLACE}:tree"
    assert scorer_of(own("tree").fit(rows.features, rows.event)).to_json() == content
    assert scorer_of(own("tree").fit(rows.features, 1 - rows.event)).to_json()["trained_on"] != content["trained_on"]
    with pytest.raises(CheckpointError, match=r"'mine' is the user's own, of which only the recipe is saved\. Fit it again"):
        scorer_from_json(content).predict_proba(rows.features)


def test_a_factory_of_one_shared_estimator_is_copied():
    shared = own_examples.tree()
    own_examples.shared = lambda: shared
    rows = simulated(200, prevalence=0.2)
    OwnModel("mine", f"{PLACE}:shared", 1).fit(rows.features, rows.event)
    assert not hasattr(shared, "tree_")
    assert shared.random_state is None
    assert clone(shared).get_params() == shared.get_params()
