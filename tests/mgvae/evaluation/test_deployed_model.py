"""The model to deploy is the one that the evaluation judged on the hold-out; its files give back the same predictions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mgvae.classifiers.recalibration import Recalibration
from mgvae.cohort.build import Cohort
from mgvae.cohort.rows import rows
from mgvae.config.study import CohortConfig
from mgvae.errors import CheckpointError, ShapeError
from mgvae.evaluation.arm_kinds import SAME_FIT
from mgvae.evaluation.cross_validation import predict_both
from mgvae.evaluation.deployed_model import EVALUATED, fit_deployed, load_deployed, save_deployed, seen_in_training
from mgvae.evaluation.evaluate import chain_of, evaluation_seed
from mgvae.results.evaluation import Line
from tests.mgvae.evaluation.simulated_cohort import simulated

COLUMNS = {
    "severity": {"kind": "continuous", "unit": "points"},
    "age": {"kind": "count"},
    "noise": {"kind": "continuous"},
    "site": {"kind": "categorical", "categories": ["a", "b", "c"]},
    "stage": {"kind": "ordinal", "categories": [0, 1, 2, 3]},
    "sex": {"kind": "binary", "categories": ["f", "m"]},
    "id": {"role": "identifier"},
    "family": {"role": "identifier"},
}
LR = "logistic_regression"
CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")


def config(**changes):
    values = {
        "study": "s",
        "extract": "x.csv",
        "subject_id": "id",
        "group": "family",
        "outcome": {"column": "died", "event": 1},
        "columns": {"columns": COLUMNS},
        "evaluation": {"arms": ["none", "class_weight", "smote", "mgvae"], "classifiers": CLASSIFIERS},
    }
    return CohortConfig.model_validate(values | changes)


def cohort(n=900, *, seed=0, first=0):
    """Return subjects named from ``first`` on, in families of three, those of the first family without a name."""
    made = simulated(n, seed=seed, group_size=3, prevalence=0.1)
    number = first + np.arange(n)
    return Cohort(
        features=made.features,
        event=made.event == 1,
        subject=np.array([f"p{at}" for at in number], dtype=object),
        group=made.group,
        group_name=np.array([None if at < 3 else f"f{at // 3}" for at in number], dtype=object),
        subgroups=pd.DataFrame(index=range(n)),
        index_date=None,
        flow=(),
    )


@pytest.fixture(scope="module")
def people():
    made = cohort()
    return made, made.group >= 220


@pytest.fixture(scope="module")
def saved(people, tmp_path_factory):
    """A model in its folder."""
    folder, (made, test) = tmp_path_factory.mktemp("model"), people
    model = fit_deployed(made.take(~test), config(), arm="class_weight", classifier="hist_gradient_boosting")
    save_deployed(folder, model, made, test)
    return folder, model


@pytest.mark.usefixtures("generator")
@pytest.mark.parametrize("classifier", CLASSIFIERS)
@pytest.mark.parametrize("arm", ["none", "threshold", "class_weight", "smote", "mgvae"])
def test_it_predicts_the_hold_out_as_the_evaluation_did(arm, classifier, people):
    made, test = people
    study = config(evaluation={"arms": sorted({"none", arm}), "classifiers": [classifier]})
    train, held = (rows(part.features, part.event, part.group) for part in (made.take(~test), made.take(test)))
    judged = predict_both(train, held, chain_of(study), n_folds=4, repeats=1, seed=evaluation_seed(study))
    learned = judged.training[SAME_FIT.get(arm, arm), classifier]
    line = Line(intercept=learned.intercept, slope=learned.slope)
    model = fit_deployed(made.take(~test), study, arm=arm, classifier=classifier, recalibration=line)
    expected = judged.holdout.probability[arm, classifier, "recalibrated"][0]
    np.testing.assert_array_equal(model.predict(made.features[test]), expected)


def test_the_model_to_use_is_the_one_refitted_on_all_patients(people, tmp_path):
    made, test = people
    line = Line(intercept=0.3, slope=0.8)
    models = [
        fit_deployed(part, config(), arm="none", classifier=LR, recalibration=line, refitted=refitted)
        for part, refitted in ((made.take(~test), False), (made, True))
    ]
    save_deployed(tmp_path, models[0], made, test, refitted=models[1])
    evaluated, used = load_deployed(tmp_path, EVALUATED), load_deployed(tmp_path)
    np.testing.assert_array_equal(evaluated.predict(made.features), models[0].predict(made.features))
    np.testing.assert_array_equal(used.predict(made.features), models[1].predict(made.features))
    assert used.prevalence == made.event.mean() != evaluated.prevalence == made.event[~test].mean()
    assert used.recalibration == Recalibration(0.3, 0.8)
    written = pd.read_parquet(tmp_path / "predictions.parquet")["probability"]
    np.testing.assert_array_equal(written, models[0].predict(made.features[test]))
    np.testing.assert_array_equal(seen_in_training(tmp_path, made, named=True), ~test)


def test_from_its_files_it_predicts_the_same(saved, people):
    folder, model = saved
    made, test = people
    again = load_deployed(folder)
    np.testing.assert_array_equal(again.predict(made.features), model.predict(made.features))
    assert (again.arm, again.classifier, again.target, again.columns) == (
        model.arm,
        model.classifier,
        model.target,
        model.columns,
    )
    written = pd.read_parquet(folder / "predictions.parquet")
    assert list(written) == ["subject", "group", "event", "probability", "weight"]
    assert written["subject"].tolist() == made.subject[test].tolist()
    np.testing.assert_array_equal(written["event"], made.event[test])
    np.testing.assert_array_equal(written["probability"], model.predict(made.features[test]))


def test_the_file_of_the_model_names_no_subject_and_holds_no_pickle(saved):
    folder, _ = saved
    names = ["evaluated_model.json", "model.json", "predictions.parquet", "trained_on.parquet"]
    assert sorted(path.name for path in folder.iterdir()) == names
    text = (folder / "model.json").read_text()
    assert json.loads(text)["format"] == 2
    for name in ("p17", "f5"):
        assert f'"{name}"' not in text


def test_whom_it_has_seen_is_told_by_name_and_by_family(saved, people):
    folder, _ = saved
    made, test = people
    np.testing.assert_array_equal(seen_in_training(folder, made, named=True), ~test)
    later = cohort(60, first=630)  # p630 to p689; training ends with p659
    np.testing.assert_array_equal(seen_in_training(folder, later, named=True), np.arange(60) < 30)
    sibling = later.take(np.arange(3))
    sibling.subject[:] = ["x", "y", "z"]
    assert seen_in_training(folder, sibling, named=True).all()


def test_where_rows_have_no_names_all_without_a_family_may_have_been_seen(saved, people):
    folder, _ = saved
    unnamed = people[0].take(np.arange(690, 720))
    assert not seen_in_training(folder, unnamed, named=False).any()
    unnamed.group_name[:5] = None
    np.testing.assert_array_equal(seen_in_training(folder, unnamed, named=False), np.arange(30) < 5)


def test_columns_in_another_order_and_further_ones_change_nothing(saved, people):
    features = people[0].features
    mixed = features[features.columns[::-1]].assign(more=1.0)
    np.testing.assert_array_equal(saved[1].predict(mixed), saved[1].predict(features))


@pytest.mark.parametrize("change", ["absent", "other levels", "numbers"])
def test_a_table_that_does_not_fit_is_refused_by_column(change, saved, people):
    features = people[0].features
    other = {
        "absent": features.drop(columns="site"),
        "other levels": features.assign(site=features["site"].cat.rename_categories({"c": "d"})),
        "numbers": features.assign(site=1.0),
    }[change]
    with pytest.raises(ShapeError, match="other or absent: site"):
        saved[1].predict(other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"columns": {"columns": {**COLUMNS, "more": {"kind": "count"}}}}, None),
        ({"columns": {"columns": {**COLUMNS, "severity": {"kind": "continuous", "unit": "mm"}}}}, "columns severity are other"),
        ({"columns": {"columns": {**COLUMNS, "sex": {"kind": "binary", "categories": ["m", "f"]}}}}, "columns sex are other"),
        ({"outcome": {"column": "died", "event": 0}}, "the study changed since: outcome"),
        ({"group": None}, "the study changed since: group"),
    ],
    ids=str,
)
def test_what_keeps_it_from_being_judged_on_another_study_s_rows(changes, words, saved, people):
    made, test = people
    study, part = config(**changes), made.take(~test)
    levels = {name: [str(level) for level in column.levels] for name, column in study.columns.features.items() if column.levels}
    features = part.features.assign(more=1.0)
    for name, known in levels.items():
        features[name] = features[name].cat.set_categories(known)
    changed = Cohort(**{**vars(part), "features": features})
    found = saved[1].obstacle(fit_deployed(changed, study, arm="none", classifier="logistic_regression"))
    assert (found is None) if words is None else words in found


@pytest.mark.parametrize("damage", ["gone", "cut", "format", "key", "tree", "list"])
def test_a_damaged_file_is_refused(damage, saved, tmp_path):
    text = (saved[0] / "model.json").read_text()
    content = json.loads(text)
    if damage == "tree":
        del content["scorer"]["trees"][0]["left"]
    texts = {
        "cut": text[:-20],
        "format": json.dumps(content | {"format": 7}),
        "key": json.dumps({key: value for key, value in content.items() if key != "prevalence"}),
        "tree": json.dumps(content),
        "list": "[]",
    }
    if damage != "gone":
        (tmp_path / "model.json").write_text(texts[damage])
    with pytest.raises(CheckpointError, match="Run the study again"):
        load_deployed(tmp_path)
    with pytest.raises(CheckpointError, match="readable trained_on"):
        seen_in_training(tmp_path, cohort(9), named=True)
