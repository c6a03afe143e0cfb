"""What the last lines of `mgvae run` say first."""

from __future__ import annotations

import pytest

from flows.commands.run import print_outcome
from flows.study.findings import verdict_of
from mgvae.report.schema import Report
from mgvae.results.findings import found, with_muted
from tests.report_sample import sample_report


@pytest.mark.parametrize("status", ["pass", "warn", "fail"])
def test_a_severe_finding_stands_above_every_other_word(status, capsys):
    findings = (found("MGV101", "'x' separates the outcome."), found("MGV105", "3 lines."))
    report = Report.model_validate(sample_report(status=status, columns=2))
    report = report.model_copy(update={"findings": findings, "verdict": verdict_of(status, findings)})
    print_outcome(report)
    said = capsys.readouterr().out
    assert said.startswith("Not to be relied on: ")
    assert "Passed" not in said
    assert "Train nothing on these results" in said
    assert "MGV105 (warning)" in said


def test_a_muted_one_does_not(capsys):
    findings = with_muted([found("MGV101", "'x' separates the outcome.")], {"MGV101": "the index test"})
    report = Report.model_validate(sample_report(status="pass", columns=2))
    print_outcome(report.model_copy(update={"findings": findings, "verdict": verdict_of("pass", findings)}))
    assert capsys.readouterr().out.startswith("Status: pass. All gates pass")
