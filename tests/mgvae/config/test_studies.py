"""The section `studies`: what is merged, what is refused, which files are written."""

from __future__ import annotations

import json

import pytest

from mgvae.config.source import load_source
from mgvae.config.studies import check_outcomes, load_studies, merged
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from tests.mgvae.config.test_study import MINIMAL

GRID = {**MINIMAL, "title": "Base", "studies": {"death": {}, "soon": {"horizon_days": 30, "title": "Soon"}}}


def written(tmp_path, values=GRID):
    path = tmp_path / "cohort.yaml"
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def refused(tmp_path, studies, **changes):
    with pytest.raises(ConfigError) as caught:
        load_studies(written(tmp_path, {**GRID, "studies": studies, **changes}))
    return str(caught.value)


def test_each_study_is_a_file_that_every_command_takes(tmp_path):
    studies = load_studies(written(tmp_path))
    assert studies.name == "demo"
    assert {name: path.name for name, path in studies.files.items()} == {
        "death": "cohort-death.yaml",
        "soon": "cohort-soon.yaml",
    }
    first, second = (load_config(path) for path in studies.files.values())
    assert (first.study, first.title, first.horizon_days) == ("death", "Base: death", None)
    assert (second.study, second.title, second.horizon_days) == ("soon", "Soon", 30)
    assert first.extract == second.extract == str(tmp_path / "table.csv")


def test_one_study_has_no_files(tmp_path):
    assert load_studies(written(tmp_path, MINIMAL)) is None
    assert [path.name for path in tmp_path.iterdir()] == ["cohort.yaml"]


def test_open_reviews_stay_open(tmp_path):
    path = written(tmp_path)
    path.write_text(f"# review: is this right?\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert [load_config(one).reviews.open for one in load_studies(path).files.values()] == [1, 1]


def test_mappings_are_merged_and_all_else_is_replaced():
    common = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merged(common, {"a": {"c": [9]}, "d": None, "e": {"f": 1}}) == {"a": {"b": 1, "c": [9]}, "d": None, "e": {"f": 1}}
    assert common == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


@pytest.mark.parametrize(("key", "section"), [("column", "outcome"), ("events", "source")])
def test_another_outcome_takes_nothing_that_describes_the_first(key, section):
    outcome = {key: "death", "label": "Death", "event": 2, "expected_prevalence": [0, 0.1], "end_days": 30}
    common, own = ({section: one} if section == "outcome" else {section: {"outcome": one}} for one in (outcome, {key: "mi"}))
    found = merged(common, own)[section]
    assert (found if section == "outcome" else found["outcome"]) == {key: "mi", "end_days": 30}


def test_another_window_keeps_what_describes_the_outcome():
    common = {"outcome": {"column": "death", "label": "Death", "event": 2}}
    assert merged(common, {"outcome": {"column": "death", "event": 3}})["outcome"] == {**common["outcome"], "event": 3}


@pytest.mark.parametrize(
    ("studies", "words"),
    [
        ({}, "must give the keys of each study"),
        ([{"a": {}}], "must give the keys of each study"),
        ({"a": None}, "must give the keys of each study"),
        ({"latest": {}}, "names a folder"),
        ({"a/b": {}}, "names a folder"),
        ({"a": {}, "A": {"seed": 1}}, "differ in more than capitals; there is a"),
        ({"a": {"seed": 1}, "b": {"title": "x", "seed": 1}}, "studies.b and studies.a ask the same"),
        ({"a": {"outcom": {}}}, "studies.a.outcom: unknown key. Did you mean 'outcome'?"),
        ({"a": {"study": "x"}}, "studies.a.study: must stand at the top only"),
        ({"a": {"studies": {}}}, "studies.a.studies: must stand at the top only"),
    ],
)
def test_mistakes_are_named(tmp_path, studies, words):
    assert words in refused(tmp_path, studies)
    assert not list(tmp_path.glob("cohort-*"))


def test_the_name_of_all_is_the_name_of_a_folder(tmp_path):
    assert "must name all studies together" in refused(tmp_path, {"a": {}}, study="../x")


def test_a_file_of_somebody_else_stays(tmp_path):
    (tmp_path / "cohort-death.yaml").write_text("study: mine\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cohort-death\.yaml: must be free"):
        load_studies(written(tmp_path))
    assert (tmp_path / "cohort-death.yaml").read_text(encoding="utf-8") == "study: mine\n"


def test_files_are_written_anew_only_where_something_changed(tmp_path):
    first = load_studies(written(tmp_path)).files["death"]
    before = first.stat().st_mtime_ns
    load_studies(written(tmp_path))
    assert first.stat().st_mtime_ns == before
    load_studies(written(tmp_path, {**GRID, "seed": 7}))
    assert load_config(first).seed == 7


def test_commands_for_one_study_say_which_file_to_give(tmp_path):
    for load in (load_config, load_source):
        with pytest.raises(ConfigError, match=r"has the section studies.*cohort-NAME\.yaml"):
            load(written(tmp_path))


def test_no_study_predicts_from_the_outcome_of_another(tmp_path):
    values = {**GRID, "studies": {"death": {}, "age": {"outcome": {"column": "age"}, "columns": {"age": {"role": "excluded"}}}}}
    path = written(tmp_path, values)
    configs = {name: load_config(one) for name, one in load_studies(path).files.items() if name == "death"}
    check_outcomes(path, configs)
    aged = configs["death"].model_copy(update={"outcome": configs["death"].outcome.model_copy(update={"column": "age"})})
    with pytest.raises(ConfigError, match=r"death must not predict from 'age', the outcome of studies\.age"):
        check_outcomes(path, {**configs, "age": aged})
