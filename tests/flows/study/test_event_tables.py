"""A study on event tables is built before it runs, and once."""

from contextlib import nullcontext

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.commands.run import run_study
from flows.study.event_tables import built_folder, runnable
from flows.study.report_assembly import attrition_of
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from tests.mgvae.ehr.event_tables import Omop, write_cohort


@pytest.fixture
def tables() -> Omop:
    made = Omop()
    for person in range(1, 41):
        made.person(person, born=1940 + person % 9)
        if person % 3 == 0:
            made.condition(person, -5, concept=5)
        if person % 4 == 0:
            made.condition(person, 20)
    return made


def test_a_study_without_event_tables_runs_as_it_is(tmp_path):
    (tmp_path / "cohort.yaml").write_text("study: a\nextract: b.csv\n")
    assert runnable(tmp_path / "cohort.yaml") == tmp_path / "cohort.yaml"


def test_it_is_built_anew_only_where_tables_or_questions_changed(tables, tmp_path):
    tables.write(tmp_path / "omop")
    path = write_cohort(tmp_path, "omop")
    built = runnable(path)
    assert built == built_folder(path) / "cohort.yaml"
    first = built.stat().st_mtime_ns
    assert runnable(path).stat().st_mtime_ns == first
    write_cohort(tmp_path, "omop", outcome={"end_days": 90})
    assert runnable(path).stat().st_mtime_ns != first


def test_both_the_tables_and_an_extract_are_refused(tmp_path):
    (tmp_path / "both.yaml").write_text("study: a\nextract: x.csv\nsource: {omop: omop}\n")
    with pytest.raises(ConfigError, match="give either source or extract"):
        runnable(tmp_path / "both.yaml")


def test_tables_outside_of_the_roots_are_refused(tables, tmp_path, monkeypatch):
    tables.write(tmp_path / "elsewhere" / "omop")
    (tmp_path / "here").mkdir()
    path = write_cohort(tmp_path / "here", str(tmp_path / "elsewhere" / "omop"))
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path / "here"))
    with pytest.raises(ConfigError, match=r"source in cohort\.yaml"):
        runnable(path)


def test_the_commands_print_the_attrition_and_go_on(tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tables.write(tmp_path / "omop")
    path = write_cohort(tmp_path, "omop", predictors={"demographics": True})
    made = CliRunner().invoke(app, ["build", str(path)])
    assert made.exit_code == 0
    assert "Index events: visit" in made.output
    assert "40 rows, 10 with the outcome" in made.output
    checked = CliRunner().invoke(app, ["validate", str(path)])
    assert "40 eligible subjects, 10 events" in " ".join(checked.output.split())


def test_the_report_begins_with_the_attrition_and_says_of_how_many_patients_rows_are(tables, tmp_path):
    tables.visit(1, 300)
    tables.write(tmp_path / "omop")
    config = load_config(runnable(write_cohort(tmp_path, "omop")))
    steps = attrition_of(config)
    assert [(step.n, step.patients) for step in steps[:3]] == [(41, 40), (41, 40), (40, None)]
    assert [step.events for step in steps] == [step.events for step in config.attrition]
    assert steps[-1].note == "0 are followed for less: 0 with the event, 0 who died without it."


def test_a_run_builds_once_and_runs_what_was_checked(tables, tmp_path, monkeypatch):
    tables.write(tmp_path / "omop")
    asked = []

    def run(flow, cohort, **_):
        asked.append(cohort)
        raise ConfigError("enough.")

    monkeypatch.setattr("flows.study.outcome.result_of", run)
    monkeypatch.setattr("flows.prefect_server.orchestrated", nullcontext)
    path = write_cohort(tmp_path, "omop")
    with pytest.raises(ConfigError, match="enough"):
        run_study(path, out=tmp_path / "runs")
    assert asked == [str(built_folder(path) / "cohort.yaml")]
