"""`synthesis: {repair: ...}` in a whole run: on record in report.json and on the page, with what it did."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from flows.study.flow import cohort_flow
from mgvae.report.schema import read_report
from tests.flows.simulated_study import LONGER, write_study

WITHIN = 0.6  # of the distance to the nearest other patient: wide, so that a small generator's cases are dropped


@pytest.fixture(scope="module")
def repaired(database, tmp_path_factory):
    """Return the run folder of a study with repair, and its report."""
    folder = tmp_path_factory.mktemp("repair")
    cohort = write_study(folder, synthesis__repair=WITHIN, instability__generated=2, **LONGER)
    cohort_flow(str(cohort), out=str(folder / "runs"))
    content = json.loads((folder / "runs" / "small" / "latest" / "report.json").read_text(encoding="utf-8"))
    return folder / "runs" / "small" / "latest", read_report(content)


@pytest.mark.slow
def test_the_report_counts_what_was_dropped(repaired):
    folder, report = repaired
    record = report.synthetic.repair.record
    assert record.within == WITHIN
    assert 0 < record.dropped < record.made
    assert max(record.near_case, record.near_majority, record.broken) <= record.dropped
    assert record.dropped <= record.near_case + record.near_majority + record.broken
    assert report.synthetic.n == record.made - record.dropped == len(pd.read_parquet(folder / "synthetic.parquet"))


@pytest.mark.slow
def test_models_with_generated_cases_are_redeveloped_too(repaired):
    assert {one.arm: one.redevelopments for one in repaired[1].instability.arms}["mgvae"] == 2


@pytest.mark.slow
def test_fidelity_before_and_after_and_the_effect_on_prediction_are_on_record(repaired):
    _, report = repaired
    repair = report.synthetic.repair
    before, after = ({gate.name: gate for gate in gates} for gates in (repair.gates, report.synthetic.gates))
    assert list(before) == list(after)
    assert before["near_copies"].value >= after["near_copies"].value
    assert any(before[name].value != after[name].value for name in before)  # measured anew, on the cases that were kept
    assert before["suite_violations"].verdict == after["suite_violations"].verdict == "pass"
    effect = repair.effect
    assert effect.difference.value == pytest.approx(effect.after - effect.before)
    assert effect.difference.low <= effect.difference.value <= effect.difference.high


@pytest.mark.slow
def test_the_page_says_so(repaired):
    folder, report = repaired
    page = " ".join((folder / "report.html").read_text(encoding="utf-8").split())
    assert report.synthetic.repair.record.sentence in page.replace("&#39;", "'")
    assert "Gates before and after repair" in page
    assert "after repair on the patients held out" in page
