"""The command line: exit code 0 all well, 2 a gate or the validation failed, 1 an error told in one message on stderr."""

import gc
import json
import shutil
import sys
from contextlib import nullcontext
from importlib.metadata import version

import pytest
from rich.console import Console

from flows.commands.run import print_costs
from mgvae.config.budget import SETTINGS, Budget
from mgvae.config.yaml_reader import parse_yaml
from mgvae.report.schema import read_report
from tests.flows.command_line import refused, without_progress
from tests.flows.simulated_study import CANARY, study, table, write_study

EVERY_COMMAND = (
    ("init",),
    ("run",),
    ("validate",),
    ("land",),
    ("show",),
    ("generate",),
    ("paper",),
    ("cache", "ls"),
    ("cache", "rm"),
    ("cache", "gc"),
    ("champion", "show"),
    ("champion", "promote"),
    ("champion", "rollback"),
)


def test_help_names_the_commands_and_the_exit_codes(mgvae):
    said = mgvae("--help")
    assert said.code == 0
    for word in (
        "init",
        "run",
        "validate",
        "show",
        "generate",
        "cache",
        "champion",
        "Exit code 0: all gates pass; 2: a gate or the validation failed; 1: error",
    ):
        assert word in " ".join(said.out.split())


def test_the_version_is_that_of_the_package(mgvae):
    said = mgvae("--version")
    assert (said.code, said.err) == (0, "")
    assert said.out.split() == ["mgvae-cohort", version("mgvae-cohort")]


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_help_of_a_command(command, mgvae):
    said = mgvae(*command, "--help")
    assert said.code == 0
    assert f"Usage: mgvae {' '.join(command)}" in said.out
    assert "--debug" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rum",), ("No such command 'rum'", "Did you mean 'run'?", "Try 'mgvae --help'.")),
        (("run",), ("Missing argument 'COHORT.yaml'", "Try 'mgvae run --help'.")),
        (("run", "cohort.yaml", "--nope"), ("No such option: --nope", "Try 'mgvae run --help'.")),
        (("run", "cohort.yaml", "--seed", "x"), ("Invalid value for '--seed'",)),
        (("run", "cohort.yaml", "--seed"), ("'--seed' requires an argument",)),
        (("run", "cohort.yaml", "--budget", "huge"), ("Invalid value for '--budget'", "small")),
        (("show", "one", "two"), ("unexpected extra argument",)),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_misspelt_command_is_an_error_and_not_a_failed_gate(arguments, words, mgvae):
    refused(mgvae(*arguments), *words)


def test_without_arguments_it_prints_the_help(mgvae):
    said = mgvae()
    assert said.code == 1
    assert "validate" in said.out
    assert said.err == ""


CONFIGURATIONS = {
    "unknown key": ("training: {latnt_dim: 3}", ("training.latnt_dim: unknown key. Did you mean 'latent_dim'?",)),
    "unknown key at the top": ("evalution: {folds: 3}", ("evalution: unknown key. Did you mean 'evaluation'?",)),
    "wrong type": ("seed: soon", ("seed: ", "(got 'soon')")),
    "out of range": ("split: {test_fraction: 0.9}", ("split.test_fraction", "0.5")),
    "unknown arm": ("evaluation: {arms: [none, smoat]}", ("evaluation.arms", "'smote'")),
    "unknown subject": ("subject_id: pateint", ("subject_id names 'pateint'", "Did you mean 'patient'?")),
    "no name for a folder": ("study: ../elsewhere", ("study: ", "names a folder")),
}


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize("case", list(CONFIGURATIONS))
def test_wrong_configuration(case, command, mgvae, tmp_path):
    text, words = CONFIGURATIONS[case]
    cohort = tmp_path / "cohort.yaml"
    cohort.write_text(json.dumps(study() | parse_yaml(text, source=case)), encoding="utf-8")
    refused(mgvae(command, cohort), "cohort.yaml is not usable", *words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.yaml"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("no such file",)),
        (b"", ("must be a mapping",)),
        (b"- a\n- b\n", ("must be a mapping", "list")),
        (b"study: [", ("line", "must be YAML")),
        (b"study: \xff", ("must be UTF-8",)),
        (b"study: small\ncolumns: {a: {kind: binary}}\n", ("extract: this key is required", "outcome: this key is required")),
        (b"study: small\n", ("'dictionary'", "'columns'")),
    ],
    ids=repr,
)
def test_a_configuration_that_is_none(content, words, mgvae, tmp_path):
    cohort = tmp_path / "cohort.yaml"
    if content is not None:
        cohort.write_bytes(content)
    refused(mgvae("run", cohort), "cohort.yaml", *words)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("training", ("--set training: must read key=value",)),
        ("=3", ("must read key=value",)),
        ("training.latent_dim=[", ("the value must be YAML",)),
        ("training.latent_dim.more=3", ("'latent_dim' is a single value",)),
        ("training.latent_dim=many", ("training.latent_dim", "(got 'many')")),
        ("traning.latent_dim=3", ("traning: unknown key. Did you mean 'training'?",)),
    ],
)
def test_wrong_settings(setting, words, mgvae, tmp_path):
    refused(mgvae("run", write_study(tmp_path), "--set", setting), *words)


def test_a_seed_that_is_none(mgvae, tmp_path):
    refused(mgvae("run", write_study(tmp_path), "--seed", -1), "seed: ", "(got -1)")


def test_square_brackets_in_a_message_are_not_markup(mgvae, tmp_path):
    refused(mgvae("validate", tmp_path / "[bold]study[/].yaml"), "[bold]study[/].yaml")


def test_debug_shows_the_traceback(mgvae, monkeypatch, tmp_path):
    from flows.cli import main
    from mgvae.errors import ConfigError

    monkeypatch.setattr(sys, "argv", ["mgvae", "validate", str(tmp_path / "none.yaml"), "--debug"])
    with pytest.raises(ConfigError, match="no such file") as caught:
        main()
    assert caught.value.__context__ is not None
    assert not caught.value.__suppress_context__


def test_validate_a_sound_extract(mgvae, tmp_path):
    said = mgvae("validate", write_study(tmp_path))
    assert said.code == 0
    assert "Passed: " in said.out
    assert "on 600 rows; 600 eligible subjects, 40 events (6.67%)" in " ".join(said.out.split())
    assert said.err == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort.yaml", "extract.csv"]  # nothing is written


def test_validate_a_broken_extract_lists_rules_and_counts(mgvae, tmp_path):
    frame = table()
    frame.loc[:6, "age"] = 417
    frame.loc[:2, "sex"] = "zebra"
    said = mgvae("validate", write_study(tmp_path, frame))
    assert said.code == 2
    shown = " ".join(said.out.split())
    assert "Failed: 2 of " in shown
    assert "must be between 18 and 110 years 7" in shown
    assert "must be one of its 2 categories 3" in shown
    assert "zebra" not in shown
    assert "417" not in shown


def test_validate_warns_of_few_events(mgvae, tmp_path):
    said = mgvae("validate", write_study(tmp_path, table(events=9)))
    assert said.code == 0
    assert "Warning: Only 9 subjects have the event" in said.out


def test_validate_takes_another_extract_from_the_working_folder(mgvae, tmp_path, monkeypatch):
    cohort = write_study(tmp_path / "study", extract="nowhere.csv")
    shutil.move(tmp_path / "study" / "extract.csv", tmp_path / "tonight.csv")
    monkeypatch.chdir(tmp_path)
    assert mgvae("validate", cohort, "--extract", "tonight.csv").code == 0
    refused(mgvae("validate", cohort), "nowhere.csv: no such file")


def test_an_unforeseen_error_withholds_its_message(mgvae, monkeypatch, tmp_path):
    def fail(*arguments, **options):
        raise ValueError(f"could not convert string to float: {CANARY!r}")

    monkeypatch.setattr("mgvae.extract.read.read_extract", fail)
    said = mgvae("validate", write_study(tmp_path))
    refused(said, "ValueError in test_cli.py, line", "may quote patient data", "--debug")
    assert CANARY not in said.err


def test_a_command_that_keeps_nothing_does_not_say_so_when_it_is_stopped(mgvae, monkeypatch, tmp_path):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("mgvae.extract.read.read_extract", interrupted)
    said = mgvae("validate", write_study(tmp_path))
    assert (said.code, said.out, said.err) == (130, "", "Stopped.\n")


def test_a_command_seldom_looks_for_reference_cycles_and_leaves_that_as_it_was(mgvae, monkeypatch, tmp_path):
    before, seen = gc.get_threshold(), []
    monkeypatch.setattr("flows.cli.load_studies", lambda path: seen.append(gc.get_threshold()))
    mgvae("validate", tmp_path / "cohort.yaml")
    assert seen == [(100 * before[0], *before[1:])]
    assert gc.get_threshold() == before


def test_show(mgvae, finished):
    for run in (finished.run, finished.out / "small" / "latest", finished.run / "report.json"):
        said = mgvae("show", run)
        assert said.code == 0
        assert said.err == ""
        report = json.loads((finished.run / "report.json").read_text())
        for word in (report["run_id"], "Simulated deaths", "Logistic regression", f"seed {report['lineage']['seed']}"):
            assert word in said.out


def test_a_budget_is_stated_before_the_run_starts(mgvae, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("flows.study.outcome.result_of", lambda flow, cohort, **given: started.append(given) or stop())
    monkeypatch.setattr("flows.prefect_server.orchestrated", nullcontext)

    def stop():
        raise KeyboardInterrupt

    said = mgvae("run", write_study(tmp_path), "--budget", "small", "--set", "evaluation.bootstrap=300")
    assert "Budget small: 3 folds, 1 repeat, 4 arms, 1 classifier, 300 bootstrap resamples" in said.err
    assert started[0]["settings"] == [*SETTINGS[Budget.SMALL], "evaluation.bootstrap=300"]


def test_a_run_says_what_each_stage_cost(finished, capsys):
    report = read_report(json.loads((finished.run / "report.json").read_text()))
    costs = {stage.name: stage.cost for stage in report.lineage.stages}
    assert all(cost.written_bytes > 0 for cost in costs.values())
    # the clock of processor time ticks a hundred times a second: a shorter stage may see no tick
    assert all(costs[name].processor_seconds > 0 for name in ("validate", "pretrain", "finetune", "assess", "evaluate"))
    print_costs(report, Console(width=120))
    said = capsys.readouterr().out
    assert [line.split()[1] for line in said.splitlines() if line.startswith("│")] == [
        stage.name for stage in report.lineage.stages
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("no such file", "runs/nafld/latest")),
        (b"", ("must be a readable report.json",)),
        (b"\xff\xfe", ("must be a readable report.json",)),
        (b"<html>", ("must be a readable report.json",)),
        (b"[]", ("must be a mapping",)),
        (b'{"study": "small"}', ("report.json is not usable", "this key is required")),
    ],
    ids=repr,
)
def test_show_garbage(content, words, mgvae, tmp_path):
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    refused(mgvae("show", tmp_path), *words)


def test_show_below_a_file(mgvae, tmp_path):
    (tmp_path / "file").write_text("")
    refused(mgvae("show", tmp_path / "file"), "must be a readable report.json")


def test_show_a_report_of_another_version(mgvae, finished, tmp_path):
    report = json.loads((finished.run / "report.json").read_text()) | {"schema_version": 99}
    (tmp_path / "report.json").write_text(json.dumps(report))
    refused(mgvae("show", tmp_path), "schema_version")


def test_run_ends_with_the_path_of_the_report(mgvae, finished, monkeypatch):
    monkeypatch.chdir(finished.out.parent)
    said = mgvae("run", finished.cohort)
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[-1] == "runs/small/latest/report.html"
    assert lines[0].startswith(("Status: pass", "Status: warn"))
    assert without_progress(said.err) == ""
    assert "report: reused" in said.err


def test_run_into_another_folder_shows_a_whole_path(mgvae, finished, tmp_path, monkeypatch):
    out = finished.copied(tmp_path)
    monkeypatch.chdir(finished.out.parent)
    assert mgvae("run", finished.cohort, "--out", out).out.splitlines()[-1] == str(out / "small" / "latest" / "report.html")


def test_run_into_a_file(mgvae, finished, tmp_path):
    (tmp_path / "file").write_text("")
    refused(mgvae("run", finished.cohort, "--out", tmp_path / "file"), "file", "must be writable")
