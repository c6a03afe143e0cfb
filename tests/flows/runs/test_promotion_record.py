"""What was decided of a run stands in its report, the same before it is published and from the audit log."""

from __future__ import annotations

import json

import pytest

from flows.runs.audit_log import read
from flows.runs.champion import consider, promote
from flows.runs.folder import is_whole
from flows.runs.promotion_record import foresee, record_of
from flows.study.findings import with_promotion
from mgvae.report.schema import read_report
from tests.flows.champion_tools import config, considered, taken_up
from tests.report_sample import sample_report


def report_of(night):
    manifest = json.loads((night.folder / "manifest.json").read_text())
    report = read_report(sample_report())
    artifacts = {"lineage": report.lineage.model_copy(update={"artifacts": manifest["lineage"]["artifacts"]})}
    return report.model_copy(update={**artifacts, "run_id": night.run_id, "status": manifest["status"]})


def foreseen(nights, night):
    return foresee(night.config, nights.store, nights.out, report_of(night), night.folders)


@pytest.mark.parametrize(("run_id", "outcome", "code"), [("alike", "promoted", None), ("worse", "cannot_judge", "MGV402")])
def test_what_is_foreseen_is_decided_and_stays_in_the_report(run_id, outcome, code, nights):
    night = taken_up(nights, run_id)
    before = foreseen(nights, night)
    assert (before.record.outcome, before.record.previous, before.record.use.most) == (outcome, "one", 1)
    assert (before.record.finding and before.record.finding.code) == code
    known = (before.lines, before.comparison)
    decision = consider(night.config, nights.store, nights.out, night.folder, night.folders, known)
    assert (decision.action, decision.reason) == (outcome, before.record.reason)
    after = foreseen(nights, night)
    assert (after.record, after.comparison) == (before.record, None), "a run folder that is made anew has the same bytes"
    assert record_of(read(nights.study)[0][-1]) == before.record


def test_an_older_comparison_is_not_used(nights):
    night = taken_up(nights, "worse")
    before = foreseen(nights, night)
    considered(nights, "alike")
    decision = consider(night.config, nights.store, nights.out, night.folder, night.folders, (before.lines, before.comparison))
    assert read(nights.study)[0][-1].previous == "alike"
    assert decision.champion == "alike"


def test_a_wrongly_joined_night_has_the_champions_finding_in_its_report_and_is_not_unreliable(nights):
    night = nights.night("wrong", n=1530, joined_wrongly=True, settings=config(findings={"mute": {"MGV203": "a pilot"}}))
    record = foreseen(nights, night).record
    assert record.finding.code == "MGV401"
    assert "Muted" not in record.finding.detail
    plain = report_of(night).model_copy(update={"findings": ()})
    report = with_promotion(plain, record, {})
    assert [one.code for one in report.findings] == ["MGV401"]
    assert report.findings[0].severity == "severe"
    assert report.verdict.status == "warned"
    assert "MGV401" in report.verdict.sentence
    muted = with_promotion(plain, record, {"MGV401": "a new register"})
    assert "MGV401" not in muted.verdict.sentence
    assert muted.findings[0].muted == "a new register"


def test_a_run_of_which_a_person_decided_first_has_no_record(nights):
    night = taken_up(nights, "alike")
    promote(night.folder, reason="a test")
    assert is_whole(night.folder)
    assert foreseen(nights, night) is None
