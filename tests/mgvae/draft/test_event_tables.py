"""The section source drafted from OMOP tables."""

import pytest
from typer.testing import CliRunner

from flows.cli import app
from mgvae.config.source import load_source
from mgvae.config.study import load_config
from mgvae.draft.event_tables import draft_source
from mgvae.ehr.build import build_study
from mgvae.errors import ConfigError, ExtractError
from tests.mgvae.ehr.event_tables import Omop


@pytest.fixture
def tables(tmp_path):
    made = Omop()
    for person in range(1, 7):
        made.person(person, start=-800, born=1940 + person)
        made.condition(person, -5, concept=5)
    made.condition(1, 50)
    made.condition(2, 60)
    made.tables["concept"] = [
        {"concept_id": number, "concept_name": name}
        for number, name in ((1, "Infarction of the heart"), (5, "Cough"), (9202, "Outpatient visit"))
    ]
    made.write(tmp_path / "omop")
    return tmp_path / "omop"


@pytest.mark.parametrize("outcome", ["infarction of the HEART", "infarction"])
def test_a_name_becomes_concepts_and_what_is_written_builds(tables, tmp_path, outcome):
    made = draft_source(str(tables), outcome)
    assert [(one.number, one.persons) for one in made.outcome] == [(1, 2)]
    (tmp_path / "cohort.yaml").write_text(made.text, encoding="utf-8")
    source = load_source(tmp_path / "cohort.yaml")
    assert source.predicates["outcome"].concepts == (1,)
    assert not source.predicates["outcome"].descendants
    study = build_study(tmp_path / "cohort.yaml", tmp_path / "out")
    assert study.attrition[-1].events == 2
    assert load_config(study.folder / "cohort.yaml").reviews.open == made.text.count("# review: ") == 3


def test_the_same_name_wins_over_a_part_of_others(tables):
    with (tables / "CONCEPT.csv").open("a") as file:
        file.write("7,Whooping cough\n")
    with (tables / "CONDITION_OCCURRENCE.csv").open("a") as file:
        file.write("1,7,2020-01-05,,x\n")
    assert [one.number for one in draft_source(str(tables), "cough").outcome] == [5]
    assert [one.number for one in draft_source(str(tables), "cou").outcome] == [5, 7]


def test_an_unknown_name_is_refused_with_the_nearest(tables):
    with pytest.raises(ConfigError, match=r"no name contains 'couhg'.*Did you mean 'Cough'.*The most frequent are: Cough"):
        draft_source(str(tables), "couhg")
    (tables / "CONCEPT.csv").unlink()
    with pytest.raises(ExtractError, match="must have the OMOP table concept"):
        draft_source(str(tables), "cough")


def test_the_command_writes_once_and_says_what_is_next(tables, tmp_path):
    arguments = ["init", "--omop", str(tables), "--outcome", "infarction", "--out", str(tmp_path / "study")]
    written = CliRunner().invoke(app, arguments)
    assert written.exit_code == 0
    assert "Next: mgvae build" in written.output
    again = CliRunner().invoke(app, arguments)
    assert "is there already" in str(again.exception)
    for wrong, message in ((["init"], "Give EXTRACT, or --omop"), (["init", "--omop", str(tables)], "--omop needs --outcome")):
        assert message in str(CliRunner().invoke(app, wrong).exception)
