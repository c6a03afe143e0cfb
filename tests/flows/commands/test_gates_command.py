"""`mgvae gates RUN`: exit codes, what is printed, what is refused."""

from __future__ import annotations

import json

import pytest

from tests.flows.command_line import refused
from tests.report_sample import refused_report, sample_report


@pytest.fixture
def run_of(tmp_path):
    """Return a function that writes a run folder with these verdicts of the gates, and the report as it stands."""

    def write(*verdicts, report=None):
        content = sample_report(status="fail" if "fail" in verdicts else "pass") if report is None else report
        for gate, verdict in zip(content["synthetic"]["gates"] if verdicts else [], verdicts, strict=False):
            gate["verdict"] = verdict
        (tmp_path / "report.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [(("pass",), 0), (("warn", "warn"), 0), (("cannot_tell",), 0), (("fail",), 2), (("pass", "warn", "fail"), 2)],
)
def test_the_exit_code_is_2_where_a_gate_failed(verdicts, code, mgvae, run_of):
    said = mgvae("gates", run_of(*verdicts))
    assert (said.code, said.err) == (code, "")


def test_each_gate_is_printed_with_its_numbers_and_those_that_do_not_pass_with_reason_and_threshold(mgvae, run_of):
    content = sample_report()
    gates = content["synthetic"]["gates"]
    gates[0] |= {"verdict": "fail", "detail": "Too near.", "rule": "none may", "real": 0.5}
    gates[1] |= {"verdict": "cannot_tell", "value": None, "low": None, "high": None, "detail": "Too few cases."}
    said = mgvae("gates", run_of(report=content))
    place = said.out.index("fail " + gates[0]["label"])
    head, reasons = said.out[:place], said.out[place:]
    assert "Gates on 11,189 synthetic cases" in head
    for gate in gates:
        assert gate["label"] in head
        assert (gate["detail"] in reasons) == (gate["verdict"] != "pass")
    assert f"fail {gates[0]['label']}. Too near. Real against real: 0.500. Threshold: none may." in " ".join(reasons.split())
    assert f"cannot tell {gates[1]['label']}. Too few cases." in " ".join(reasons.split())
    assert "None" not in said.out


def test_texts_are_no_markup(mgvae, run_of):
    content = sample_report(status="pass")
    content["synthetic"]["gates"][0] |= {"verdict": "warn", "label": "[blink]gate[/]", "detail": "[red]seen[/red]"}
    said = mgvae("gates", run_of(report=content))
    assert "[blink]gate[/]" in said.out
    assert "[red]seen[/red]" in said.out


def test_a_run_without_synthetic_cases_says_so(mgvae, run_of):
    said = mgvae("gates", run_of(report=refused_report()))
    assert (said.code, said.out) == (0, "No synthetic cases: nothing was trained on this extract.\n")


def test_report_json_itself_may_be_named(mgvae, run_of):
    assert mgvae("gates", run_of("fail") / "report.json").code == 2


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"a": ' * 2000 + "1"])
def test_a_damaged_report_is_refused(content, mgvae, tmp_path):
    (tmp_path / "report.json").write_text(content, encoding="utf-8")
    refused(mgvae("gates", tmp_path), "report.json")


def test_a_folder_that_is_no_run_is_refused(mgvae, tmp_path):
    refused(mgvae("gates", tmp_path / "nothing"), "no such file", "runs/nafld/latest")
