"""The hold-outs of accepted nights judge together: which nights, which patients, and what a report says of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from flows.runs import earlier_holdouts as module
from flows.runs.audit_log import read
from flows.runs.champion import decide
from flows.runs.comparison import Candidate, History
from flows.runs.earlier_holdouts import BEGINS, NONE_BEFORE, UNNAMED, earlier_holdouts
from flows.runs.promotion_record import record_of
from mgvae.cohort.files import load_cohort, save_cohort
from mgvae.report.schema import Report
from mgvae.results.promotion import HoldoutPool, PromotionRecord
from tests.flows.champion_tools import Nights, config
from tests.report_plain import render
from tests.report_sample import sample_report

SIZE = 600
STARTS = {"one": 0, "two": 500, "three": 1000, "four": 1100}


def rule(nights, **more):
    return config(promotion={"new_patients": 0.01, "nights": nights}, **more)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four accepted nights of an extract that rolls on: each has patients of the one before; the first is champion."""
    nights = Nights(tmp_path_factory.mktemp("rolling") / "runs")
    for name, first in STARTS.items():
        night = nights.night(name, n=SIZE, first=first, seed=first, extract=f"extract-{name}", judged=name != "one")
        if name == "one":
            assert nights.consider(night).action == "promoted"
    return nights


@pytest.fixture
def nights(made, tmp_path):
    shutil.copytree(made.out, tmp_path / "runs", symlinks=True)
    return Nights(tmp_path / "runs")


def artifact(nights, name, stage):
    manifest = json.loads((nights.study / name / "manifest.json").read_text())
    return nights.store.folder(module.Reference(stage, manifest["lineage"]["artifacts"][stage]))


def compared(nights, settings, *, judged=True, name="four"):
    """Return what is decided of a night under other settings."""
    folders = {stage: artifact(nights, name, stage) for stage in ("split", "model")}
    folders |= {"drift": nights.study} if judged else {}
    run = Candidate.of(nights.study / name)
    history = History(nights.study, read(nights.study)[0], run.extract)
    return decide(settings, nights.store, run, folders, history)[0]


def expected(nights, names):
    """Return who must judge: the hold-outs less whom either model knows, by name or family, counted by sets."""
    known, judges = set(), set()
    for model in ("one", "four"):
        table = pd.read_parquet(artifact(nights, model, "model") / "trained_on.parquet")
        known |= set(table["subject"]) | set(table["group"])
    for name in names:
        cohort, test = load_cohort(artifact(nights, name, "split"))
        held = zip(cohort.subject[test], cohort.group_name[test], strict=True)
        judges |= {who for who, family in held if who not in known and family not in known}
    return judges


def test_the_last_nights_judge_together_without_whom_a_model_knows(nights):
    for window, names in ((2, ["three", "four"]), (3, ["two", "three", "four"]), (9, list(STARTS))):
        found = compared(nights, rule(window)).comparison
        judges = expected(nights, names)
        alone = expected(nights, ["four"])
        assert found["n"] == len(judges) == found["pool"]["newest"] + found["pool"]["earlier"]
        assert (found["pool"]["nights"], found["pool"]["newest"]) == (len(names), len(alone))
        assert found["events"] == found["pool"]["newest_events"] + found["pool"]["earlier_events"]
        assert found["pool"]["alone"] == ""
    assert len(judges) > 2 * len(alone), "pooling gains something here"


def test_one_night_is_the_newest_hold_out_alone_whatever_came_before(nights):
    one, before = compared(nights, rule(1)), compared(nights, rule(5), judged=False)
    same = {name: value for name, value in one.comparison.items() if name not in ("use", "pool")}
    assert same == {name: before.comparison[name] for name in same}
    assert one.comparison["pool"]["alone"] == ""
    assert before.comparison["pool"] | {"alone": ""} == one.comparison["pool"]
    assert one.comparison["n"] == len(expected(nights, ["four"]))


def hold_outs(nights, settings=None, *, folders=None, extract="extract-four"):
    found, why = earlier_holdouts(
        settings or rule(5), nights.store, nights.study, extract, {"drift": nights.study} if folders is None else folders
    )
    return [set(one.subject) for one in found], why


def held(nights, *names):
    return [set(cohort.subject[test]) for cohort, test in (load_cohort(artifact(nights, name, "split")) for name in names)]


def rewrite(nights, name, change):
    path = nights.study / name / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_no_more_nights_are_asked_than_the_rule_says(nights):
    assert hold_outs(nights) == (held(nights, "three", "two", "one"), "")
    assert hold_outs(nights, rule(3)) == (held(nights, "three", "two"), "")
    assert hold_outs(nights, rule(2)) == (held(nights, "three"), "")
    assert hold_outs(nights, rule(1)) == ([], "")


def test_where_pooling_is_impossible_it_says_why(nights):
    columns = {"severity": {"kind": "continuous"}, "ward": {"kind": "categorical", "categories": ["a", "b"]}}
    unnamed = rule(5, subject_id=None, group=None, columns={"columns": columns})
    assert hold_outs(nights, unnamed) == ([], UNNAMED)
    assert hold_outs(nights, folders={}) == ([], BEGINS)
    assert hold_outs(nights, extract="extract-one") == ([], NONE_BEFORE)


def test_a_night_that_was_seen_before_is_judged_by_what_came_before_it_then(nights):
    assert hold_outs(nights, extract="extract-three") == (held(nights, "two", "one"), "")


def test_the_chain_ends_where_drift_was_not_judged_or_columns_and_outcome_mean_something_else(nights):
    report = nights.study / "two" / "report.json"
    text = report.read_text()
    report.write_text(json.dumps({"drift": None}))
    assert hold_outs(nights) == (held(nights, "three", "two"), "")
    report.write_text(text)
    rewrite(nights, "two", lambda manifest: manifest["config"]["outcome"].update(event="2"))
    assert hold_outs(nights) == (held(nights, "three"), ""), "nor does an older one judge"


def test_refused_nights_and_lost_artifacts_do_not_judge_and_one_extract_counts_once(nights):
    rewrite(nights, "three", lambda manifest: manifest.update(status="fail"))
    assert hold_outs(nights, rule(2)) == (held(nights, "two"), "")
    rewrite(nights, "three", lambda manifest: manifest.update(status="warn"))
    rewrite(nights, "two", lambda manifest: manifest["lineage"].update(extract_sha256="extract-three"))
    assert hold_outs(nights, rule(3)) == (held(nights, "three", "one"), "")
    shutil.rmtree(artifact(nights, "three", "split"))
    assert hold_outs(nights, rule(2)) == (held(nights, "two"), "")


@pytest.mark.parametrize(("days", "left"), [(30, True), (31, False)])
def test_patients_whose_horizon_had_not_passed_then_do_not_judge(days, left, nights):
    """Predicted on 2025-12-04; the run was made on 2026-01-03, 30 days later."""
    cohort, test = load_cohort(artifact(nights, "three", "split"))
    dated = replace(cohort, index_date=pd.Series(pd.Timestamp("2025-12-04"), index=range(len(cohort))))
    saved = nights.store.save("split", lambda folder: save_cohort(folder, dated, test), about={})
    settings = rule(2, horizon_days=days)
    then = settings.model_dump(mode="json", exclude={"extract", "stages"})
    rewrite(nights, "three", lambda manifest: manifest.update(config=then, created_at="2026-01-03T00:00:00+00:00"))
    rewrite(nights, "three", lambda manifest: manifest["lineage"]["artifacts"].update(split=saved.sha256))
    rewrite(nights, "two", lambda manifest: manifest.update(created_at="2026-01-02T00:00:00+00:00"))
    rewrite(nights, "four", lambda manifest: manifest.update(created_at="2026-01-04T00:00:00+00:00"))
    found, _ = hold_outs(nights, settings)
    assert found == (held(nights, "three") if left else [set()])


def test_the_report_says_on_how_many_nights_and_patients_the_comparison_rests(nights):
    record = record_of(compared(nights, rule(3)))
    assert record.pool is not None
    assert record.pool.nights == 3
    pool = HoldoutPool(nights=3, newest=110, newest_events=9, earlier=1200, earlier_events=31)
    said = PromotionRecord(outcome="kept", reason="X", previous="aaa", pool=pool)
    page = render(sample_report() | {"promotion": said.model_dump()})
    assert "rests on 3 nights with 1,310 patients and 40 events: 110 with 9 events of this extract, 1,200 with 31" in page
    alone = said.model_copy(
        update={"pool": HoldoutPool(nights=1, newest=1, newest_events=1, earlier=0, earlier_events=0, alone=UNNAMED)}
    )
    assert UNNAMED in render(sample_report() | {"promotion": alone.model_dump()})
    Report.model_validate(sample_report() | {"promotion": alone.model_dump()})


def test_todays_patients_alone_say_whether_the_champion_still_holds(nights):
    """The outcome is joined wrongly today: good patients of earlier nights must not hide it."""
    nights.night("wrong", n=3000, first=2000, joined_wrongly=True, extract="extract-wrong", judged=True)
    change = compared(nights, rule(5), name="wrong")
    pool = change.comparison["pool"]
    assert (change.action, change.finding) == ("cannot_judge", "MGV401")
    assert f"on {pool['newest']:,} patients with {pool['newest_events']:,} events that the champion" in change.reason
    alone = compared(nights, rule(1), name="wrong").comparison
    assert (change.comparison["change"], pool["nights"]) == (alone["change"], 5)
    assert change.comparison["floor"] != alone["floor"]
