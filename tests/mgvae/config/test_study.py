"""cohort.yaml: defaults, options of the command line, and a clear sentence for each mistake."""

from __future__ import annotations

import json

import pytest

from mgvae.config.study import CohortConfig, load_config
from mgvae.errors import ConfigError
from tests.paths import ROOT

MINIMAL = {
    "study": "demo",
    "extract": "table.csv",
    "subject_id": "id",
    "outcome": {"column": "death"},
    "columns": {
        "id": {"kind": "count", "role": "identifier"},
        "family": {"kind": "count", "role": "identifier"},
        "when": {"kind": "date", "role": "excluded"},
        "age": {"kind": "continuous"},
        "death": {"kind": "binary", "role": "excluded"},
    },
}


def changed(**changes):
    """Return the minimal configuration with dotted keys replaced; None removes one."""
    values = json.loads(json.dumps(MINIMAL))
    for dotted, value in changes.items():
        *parents, last = dotted.split("__")
        place = values
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return values


def load(tmp_path, values=MINIMAL, **options):
    path = tmp_path / "cohort.yaml"
    path.write_text(values if isinstance(values, str) else json.dumps(values), encoding="utf-8")
    return load_config(path, **options)


def message(tmp_path, values=MINIMAL, **options):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, values, **options)
    return str(caught.value)


def test_defaults(tmp_path):
    config = load(tmp_path)
    assert isinstance(config, CohortConfig)
    assert (config.training.latent_dim, config.training.ewc_lambda, config.split.method) == (10, 10.0, "auto")
    assert "none" in config.evaluation.arms
    assert config.seed == 0
    assert list(config.columns.features) == ["age"]


def test_a_relative_extract_is_relative_to_the_file(tmp_path, monkeypatch):
    assert load(tmp_path).extract == str(tmp_path / "table.csv")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(tmp_path).extract == str(tmp_path / "table.csv")
    assert load(tmp_path, extract="new.csv").extract == str(tmp_path / "elsewhere" / "new.csv")


def test_an_url_and_an_absolute_path_stay_as_they_are(tmp_path):
    assert load(tmp_path, extract="s3://bucket/table.parquet").extract == "s3://bucket/table.parquet"
    assert load(tmp_path, changed(extract="/data/x.csv")).extract == "/data/x.csv"


def test_dictionary_in_a_file_of_its_own(tmp_path):
    values = changed(dictionary="dictionary.yaml")
    (tmp_path / "dictionary.yaml").write_text(json.dumps({"columns": values.pop("columns")}))
    assert load(tmp_path, values).columns == load(tmp_path).columns


@pytest.mark.parametrize(
    ("setting", "read"),
    [
        ("training.latent_dim=8", lambda config: config.training.latent_dim == 8),
        ("training.hidden=[300, 300]", lambda config: config.training.hidden == (300, 300)),
        ("evaluation.arms=[none, mgvae]", lambda config: config.evaluation.arms == ("none", "mgvae")),
        ("training.ewc_lambda=auto", lambda config: config.training.ewc_lambda == "auto"),
        ("title=", lambda config: config.title is None),
        (" study = other", lambda config: config.study == "other"),
        ("columns.columns.age.unit=years", lambda config: config.columns["age"].unit == "years"),
        ("title=a=b", lambda config: config.title == "a=b"),
        ("outcome.event=no", lambda config: config.outcome.event == "no"),
        ("outcome.event=010", lambda config: config.outcome.event == "010"),
        ("title=1900-01-01", lambda config: config.title == "1900-01-01"),
        ("training.leave_one_out=false", lambda config: config.training.leave_one_out is False),
    ],
)
def test_set(tmp_path, setting, read):
    assert read(load(tmp_path, settings=(setting,)))


def test_later_settings_win_and_the_seed_option_too(tmp_path):
    config = load(tmp_path, settings=("training.latent_dim=8", "training.latent_dim=9"), seed=7)
    assert (config.training.latent_dim, config.seed) == (9, 7)


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("training.latent_dim", "--set training.latent_dim: must read key=value, for example training.latent_dim=8."),
        ("=3", "--set =3: must read key=value"),
        ("seed=[1", "--set seed=[1: the value must be YAML, for example 8, true, [none, mgvae]."),
        (
            "training.leave_one_out=no",
            "training.leave_one_out: must be true or false; got 'no'. Write true or false, without quotes.",
        ),
        ("training.hidden={a: 1, a: 2}", "the value must be YAML"),
        ("outcome.event=null", "outcome.event: null is no value of a column: put the word into quotes"),
        ("outcome.event=[1]", "outcome.event: must be text, a number, true or false; got list. Put text into quotes"),
        ("study.name=x", "--set study.name=x: 'study' is a single value and has no keys below it."),
        ("training.latentdim=8", "training.latentdim: unknown key. Did you mean 'latent_dim'?"),
        ("trainin.latent_dim=8", "trainin: unknown key. Did you mean 'training'?"),
        ("training.latent_dim=0", "training.latent_dim: Input should be greater than or equal to 1 (got 0)"),
    ],
)
def test_set_mistakes(tmp_path, setting, sentence):
    assert sentence in message(tmp_path, settings=(setting,))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"study": None}, "study: this key is required; add it."),
        ({"study": "a/b"}, "study: must be 1 to 64 letters, digits, '-' or '_'"),
        ({"study": "../x"}, "it names a folder"),
        ({"subject_id": "idd"}, "subject_id names 'idd', which the data dictionary lacks. Did you mean 'id'?"),
        ({"group": "famly"}, "group names 'famly', which the data dictionary lacks. Did you mean 'family'?"),
        ({"index_date": "whn"}, "index_date names 'whn', which the data dictionary lacks. Did you mean 'when'?"),
        ({"outcome__column": "age"}, "'age' must not be a feature; give it the role 'excluded'"),
        ({"subject_id": "age"}, "subject_id 'age' must not be a feature; give it the role 'identifier'"),
        ({"group": "age"}, "group 'age' must not be a feature; give it the role 'identifier'"),
        ({"columns__age__role": "excluded"}, "the data dictionary must give at least one column the role 'feature'"),
        ({"columns__when__role": "feature"}, "date feature 'when' needs an index_date to be measured from"),
        (
            {"columns__when__role": "feature", "index_date": "when"},
            "index_date 'when' must not be a feature; give it the role 'excluded'",
        ),
        ({"index_date": "family"}, "index_date 'family' must be of kind date in the data dictionary"),
        ({"split": {"method": "temporal"}}, "split.method temporal needs an index_date"),
        ({"split": {"test_fraction": 0.9}}, "split.test_fraction: Input should be less than or equal to 0.5 (got 0.9)"),
        ({"outcome__expected_prevalence": [0.3, 0.1]}, "must be two shares, 0 <= low < high <= 1"),
        ({"evaluation": {"arms": ["mgvae"]}}, "arms must include 'none': every other arm is judged against it"),
        ({"evaluation": {"arms": ["none", "none"]}}, "must name at least one, each once"),
        ({"evaluation": {"classifiers": []}}, "must name at least one, each once"),
        (
            {"evaluation": {"classifiers": ["mpl"]}},
            "or your own with its import path: {mpl: 'package.module:factory'}. Did you mean 'mlp'?",
        ),
        ({"evaluation": {"classifiers": ["Svm"]}}, "evaluation.classifiers.0: String should match pattern"),
        ({"evaluation": {"classifiers": [{"mlp": "a:b"}]}}, "classifiers: 'mlp' is built in; give your own another name"),
        ({"evaluation": {"classifiers": ["mlp", {"mlp": "a:b"}]}}, "must name at least one, each once"),
        ({"evaluation": {"classifiers": {"svm": "a.b"}}}, "evaluation.own_classifiers.svm: String should match pattern"),
        ({"evaluation": {"classifiers": {"svm": "a:b()"}}}, "evaluation.own_classifiers.svm: String should match pattern"),
        ({"evaluation": {"own_classifiers": {"svm": "a:b"}}}, "own_classifiers: 'svm' must be among classifiers"),
        ({"evaluation": {"arms": ["none", "mgvea"]}}, "evaluation.arms.1: Input should be"),
        ({"training": {"ewc_lambda": -1}}, "a weight must be 0 (no anchor) or a positive number"),
        ({"training": {"ewc_grid": []}}, "training.ewc_grid: a weight must be 0 (no anchor) or a positive number"),
        ({"training": {"exemplars": 0}}, "must be 1 or more"),
        ({"training": {"hidden": []}}, "training.hidden: must be 1 or more"),
        ({"seed": -1}, "seed: Input should be greater than or equal to 0 (got -1)"),
        ({"columns": None}, "needs 'dictionary' (a file) or 'columns' (inline)"),
        ({"dictionary": "d.yaml"}, "give either 'dictionary' (a file) or 'columns' (inline), not both."),
        ({"columns": {}}, "must name at least one column"),
    ],
)
def test_each_mistake_is_a_sentence(tmp_path, changes, sentence):
    assert sentence in message(tmp_path, changed(**changes))


@pytest.mark.parametrize("changes", [{"training": None}, {"extract": 5}, {"columns": 3}, {"outcome": "death"}], ids=str)
def test_values_of_the_wrong_shape_are_config_errors(tmp_path, changes):
    values = MINIMAL | changes
    assert "cohort.yaml is not usable" in message(tmp_path, values)


@pytest.mark.parametrize(
    "given",
    [["logistic_regression", {"tabpfn": "mine.models:make"}], {"logistic_regression": None, "tabpfn": "mine.models:make"}],
    ids=["list", "mapping"],
)
def test_a_classifier_of_ones_own_has_a_name_and_an_import_path(tmp_path, given):
    config = load(tmp_path, changed(evaluation__classifiers=given))
    assert config.evaluation.classifiers == ("logistic_regression", "tabpfn")
    assert config.evaluation.own_classifiers == {"tabpfn": "mine.models:make"}
    assert CohortConfig.model_validate(config.model_dump(mode="json")) == config, "as the manifest holds it"


def test_a_list_instead_of_a_mapping(tmp_path):
    assert "must be a mapping of keys to values; got list" in message(tmp_path, "- a\n- b\n")


def test_a_missing_dictionary_file(tmp_path):
    values = changed(columns=None)
    assert "d.yaml: no such file" in message(tmp_path, values | {"dictionary": "d.yaml"})


def test_shipped_configurations_load():
    root = ROOT / "data"
    studies = [load_config(path).study for path in sorted(root.glob("*/cohort.yaml"))]
    assert studies == ["actg320", "nafld"]


def test_privacy_stands_at_the_top_and_reaches_the_generator(tmp_path):
    config = load(tmp_path, changed(privacy={"epsilon": 5}))
    assert (config.training.privacy.epsilon, config.training.privacy.delta) == (5, 1e-5)
    assert load(tmp_path, settings=("privacy.epsilon=2", "training.latent_dim=3")).training.privacy.epsilon == 2
    assert CohortConfig.model_validate(config.model_dump(mode="json")) == config  # as manifests keep it
    assert load(tmp_path).training.privacy is None
    assert load(tmp_path, changed(privacy={"epsilon": 5}), settings=("privacy=null",)).training.privacy is None


@pytest.mark.parametrize(
    ("privacy", "expected"),
    [
        ({"epsilon": 0}, "training.privacy.epsilon"),
        ({"epsilon": -1}, "training.privacy.epsilon"),
        ({"epsilon": float("inf")}, "training.privacy.epsilon"),
        ({"epsilon": 5, "delta": 0}, "training.privacy.delta"),
        ({"epsilon": 5, "delta": 1}, "training.privacy.delta"),
        ({"delta": 1e-5}, "training.privacy.epsilon"),
        ({"epsilon": 5, "unit": "family"}, "training.privacy.unit"),
        ({"epsilon": 5, "epsilom": 5}, "epsilon"),
        (5, "training.privacy"),
    ],
)
def test_a_budget_that_protects_nobody_is_refused(tmp_path, privacy, expected):
    text = json.dumps(changed(privacy=privacy)).replace("Infinity", ".inf")
    assert expected in message(tmp_path, text)


def test_privacy_stands_once(tmp_path):
    values = changed(privacy={"epsilon": 5}, training__privacy={"epsilon": 9})
    assert "privacy must stand once, at the top" in message(tmp_path, values)


@pytest.mark.parametrize("arm", ["vae", "mgvae_no_pretraining"])
def test_arms_that_learn_everything_from_the_cases_are_refused_with_privacy(tmp_path, arm):
    arms = {"evaluation__arms": ["none", arm]}
    assert f"take arm '{arm}' out" in message(tmp_path, changed(privacy={"epsilon": 5}, **arms))
    assert load(tmp_path, changed(**arms)).evaluation.arms == ("none", arm)
