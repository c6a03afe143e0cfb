"""No value of a patient reaches a message, a log, Prefect's database, a record, a report or a checkpoint."""

from __future__ import annotations

import logging
import sys
import traceback

import pytest
from safetensors import safe_open

from flows.cli import main
from flows.redaction import DefectError
from mgvae.errors import StoreError
from tests.flows.flow_tools import artifact, fresh_from, holding, run_study
from tests.flows.simulated_study import CANARY

pytestmark = pytest.mark.usefixtures("database")


def leaking(*arguments, **options):
    raise ValueError(f"could not convert string to float: {CANARY!r}")


@pytest.fixture
def logged(caplog):
    """All that any logger says, Prefect's too, at its most talkative."""
    loggers = [logging.getLogger(name) for name in ("prefect", "prefect.flow_runs", "prefect.task_runs")]
    levels = [(one, one.level) for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
        one.addHandler(caplog.handler)
    yield caplog
    for one, level in levels:
        one.setLevel(level)
        one.removeHandler(caplog.handler)


@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("mgvae.extract.cells.numbers", "validate"),
        ("mgvae.generator.encoding_parts.fit_by_column", "encode"),
        ("flows.study.stages.shared_pretraining.pretrain_majority", "pretrain"),
        ("flows.study.report_assembly.load_cohort", "report"),
        ("flows.runs.publish.released", "publish"),
        ("flows.study.stage_runner.look_up", "reading a record"),
        ("flows.study.flow.drift_baseline", "the flow itself"),
    ],
)
def test_an_unforeseen_error_withholds_its_message(place, stage, database, tmp_path, monkeypatch, capfd, logged, finished):
    out = fresh_from(finished, tmp_path, stage)
    monkeypatch.setattr(place, leaking)
    with pytest.raises(DefectError, match=r"failed with ValueError in test_patient_data.py, line \d+.*suppressed") as caught:
        run_study(finished.cohort, out)
    assert CANARY not in str(caught.value)
    assert CANARY in str(caught.value.__context__)  # for --debug
    assert CANARY not in "".join(capfd.readouterr())
    assert CANARY not in logged.text
    assert not holding(CANARY, database, out / ".store" / "records")
    assert not list(tmp_path.rglob(".writing-*"))


def test_debug_prints_what_is_suppressed(finished, tmp_path, monkeypatch, mgvae):
    monkeypatch.setattr("mgvae.generator.encoding_parts.fit_by_column", leaking)
    arguments = ["run", str(finished.cohort), "--out", str(fresh_from(finished, tmp_path, "encode"))]
    said = mgvae(*arguments)
    assert said.code == 1
    assert CANARY not in said.err + said.out
    assert "--debug" in said.err
    monkeypatch.setattr(sys, "argv", ["mgvae", *arguments, "--debug"])
    with pytest.raises(DefectError) as caught:
        main()
    assert CANARY in "".join(traceback.format_exception(caught.value))


def test_an_error_of_a_file_is_named_without_its_text(finished, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(f"cannot parse {CANARY}")

    monkeypatch.setattr("mgvae.generator.encoding_parts.fit_by_column", fail)
    with pytest.raises(StoreError, match=r"with space left; OSError\.$"):
        run_study(finished.cohort, fresh_from(finished, tmp_path, "encode"))


def test_a_run_tells_nobody_who_the_patients_are(finished, database):
    names = ("report.json", "report.html", "figures", "manifest.json", "model.json", "model_card.md")
    report = [finished.run / name for name in names]
    manifests = list((finished.out / ".store" / "objects").rglob("manifest.json"))
    for name in (CANARY, "patient-0003-horse"):
        assert not holding(name, database, finished.server, finished.out / ".store" / "records", *report, *manifests)


def test_what_is_searched_would_be_found(finished):
    assert holding("mgvae-cohort", finished.server)  # the flow's name
    assert holding("extract.csv", finished.server) or holding("cohort.yaml", finished.server)  # its parameters
    assert holding(CANARY, finished.cohort.parent / "extract.csv")


def test_no_row_of_a_patient_in_a_checkpoint(finished, report):
    for stage in ("pretrain", "finetune"):
        folder = artifact(finished.out, report, stage)
        assert sorted(path.name for path in folder.iterdir()) == [
            "clock.json",
            "history.json",
            "manifest.json",
            "model.json",
            "model.safetensors",
        ]
        with safe_open(folder / "model.safetensors", "pt") as tensors:
            rows = {size for name in tensors.keys() for size in tensors.get_tensor(name).shape}  # noqa: SIM118
        cases, majority = report["cohort"]["events_train"], report["cohort"]["n_train"] - report["cohort"]["events_train"]
        assert not rows & {cases, majority, cases + majority}
