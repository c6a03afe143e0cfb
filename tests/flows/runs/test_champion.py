"""A champion per study: who takes its place, and who does not."""

from __future__ import annotations

import json
import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.runs.audit_log import read
from flows.runs.champion import promote
from flows.runs.holdout_use import COUNTS, current_window
from mgvae.cohort.files import save_cohort
from mgvae.config.sections import Findings
from mgvae.evaluation.deployed_model import load_deployed
from mgvae.evaluation.promotion import rule
from mgvae.store.artifact import digest_file
from tests.flows.champion_tools import COLUMNS, Nights, config, considered, split_of, taken_up


def test_the_first_run_whose_gates_pass_is_champion(made):
    assert (made.study / "champion").readlink() == Path("one")
    (line,) = read(made.study)[0]
    assert (line.action, line.run_id, line.previous, line.previous_sha256) == ("promoted", "one", None, None)
    folder = made.study / "one"
    assert {name: line.sha256[name] for name in ("manifest.json", "report.json")} == {
        name: digest_file(folder / name) for name in ("manifest.json", "report.json")
    }
    assert line.sha256["model"] == json.loads((folder / "manifest.json").read_text())["lineage"]["artifacts"]["model"]
    assert "@" in line.who
    assert line.at.endswith("+00:00")
    assert stat.S_IMODE((made.study / "audit.jsonl").stat().st_mode) == 0o600


def test_a_run_that_is_not_worse_takes_its_place_and_latest_stays(nights):
    latest = (nights.study / "latest").readlink()
    decision = considered(nights, "alike")
    assert (decision.action, decision.champion, decision.warning) == ("promoted", "alike", None)
    assert nights.champion == "alike"
    assert (nights.study / "latest").readlink() == latest
    line = nights.lines()[-1]
    assert (line["previous"], line["reason"], line["comparison"]) == ("one", decision.reason, decision.comparison)
    assert line["reason"].startswith("Neither better nor worse than the champion on ")
    assert line["rule"] == rule(taken_up(nights, "alike").config.promotion)
    assert {"champion", "challenger", "value", "low", "high"} == set(line["comparison"]["auroc"])


def test_the_hold_out_that_judges_is_less_whom_the_champion_was_trained_on(nights):
    comparison = considered(nights, "alike").comparison
    (old, old_test), (new, test) = (split_of(taken_up(nights, name)) for name in ("one", "alike"))
    trained = set(old.subject[~old_test])
    judges = np.array([name not in trained for name in new.subject[test]])
    assert (comparison["n"], comparison["left_out"]) == (judges.sum(), (~judges).sum())
    assert comparison["events"] == new.event[test][judges].sum() >= 15
    assert 0.9 < comparison["n"] / test.sum() <= 1, "the hold-out lasts from night to night"


def test_a_worse_run_is_kept_out_and_the_log_says_by_how_much(nights):
    before = nights.state()
    decision = considered(nights, "worse")
    assert (decision.action, decision.champion) == ("cannot_judge", "one")
    assert "The new model's AUROC is" in decision.reason
    assert decision.finding.code == "MGV402"
    log, *others = nights.state()
    assert others == list(before[1:])
    assert log.startswith(before[0])
    assert nights.lines()[-1]["comparison"]["auroc"]["value"] < -0.1


@pytest.mark.parametrize("status", ["fail", "invalid"])
def test_a_run_whose_gates_failed_is_refused(status, nights):
    night = taken_up(nights, "gates")
    manifest = json.loads((night.folder / "manifest.json").read_text())
    (night.folder / "manifest.json").write_text(json.dumps(manifest | {"status": status}))
    decision = nights.consider(night)
    assert (decision.action, decision.champion, nights.champion) == ("refused", "one", "one")
    assert ("gate" if status == "fail" else "validation") in decision.reason


def test_a_run_that_is_not_to_be_relied_on_is_refused_whatever_its_gates_say(nights):
    night = taken_up(nights, "alike")
    manifest = json.loads((night.folder / "manifest.json").read_text())
    verdict = {"verdict": {"status": "unreliable", "sentence": "A leak is suspected."}}
    (night.folder / "manifest.json").write_text(json.dumps(manifest | verdict))
    decision = nights.consider(night)
    assert (manifest["status"], decision.action, nights.champion) == ("pass", "refused", "one")
    assert "severe finding" in decision.reason


@pytest.mark.parametrize(("answer", "action"), [("deploy_none", "kept"), ("no_gain", "promoted")])
def test_a_model_no_better_than_the_prevalence_does_not_serve(answer, action, tmp_path):
    nights = Nights(tmp_path / "runs")
    night = nights.night("a", n=300)
    found = {"arm": "none", "classifier": "logistic_regression", "reason": "r", "rule": "r", "difference": None}
    (night.folders["model"] / "recommendation.json").write_text(json.dumps({**found, "answer": answer}))
    decision = nights.consider(night)
    assert decision.action == action
    assert ("better than its prevalence" in decision.reason) == (answer == "deploy_none")


def test_the_audit_log_keeps_why_findings_are_muted(nights):
    night = taken_up(nights, "alike")
    findings = Findings(mute={"MGV203": "a pilot", "MGV202": "by design"})
    night = replace(night, config=night.config.model_copy(update={"findings": findings}))
    assert nights.consider(night).reason.endswith(" Muted findings: MGV202, by design; MGV203, a pilot.")


def test_a_first_model_no_better_than_chance_does_not_become_champion(tmp_path):
    nights = Nights(tmp_path / "runs")
    decision = nights.consider(nights.night("a", joined_wrongly=True))
    assert (decision.action, decision.champion, decision.finding.code) == ("cannot_judge", None, "MGV402")
    assert nights.consider(nights.night("b")).champion == "b"


def test_a_wrongly_joined_outcome_promotes_nobody_and_is_told(nights):
    """Model and hold-out of the night have outcomes of other patients; the champion shows it."""
    decision = nights.consider(nights.night("wrong", n=1530, joined_wrongly=True))
    assert (decision.action, nights.champion, decision.finding.code) == ("cannot_judge", "one", "MGV401")
    assert "AUROC was 0.8" in decision.reason
    change = decision.comparison["change"]["auroc_change"]
    assert change["value"] < -0.2
    assert change["high"] < 0


def test_judges_are_counted_once_a_night_and_the_hold_out_moves_on_after_a_promotion(nights):
    often = config(promotion={"new_patients": 0.01, "most_nights": 2})
    first = considered(nights, "worse").comparison["use"]
    assert first == {"median": 1.0, "most": 1, "window": 0, "next_window": 0}
    considered(nights, "worse")  # decided already
    second = nights.consider(nights.night("next", n=1560, settings=often))
    assert (second.action, second.comparison["use"]) == ("promoted", {"median": 2.0, "most": 2, "window": 0, "next_window": 1})
    changes = read(nights.study)[0]
    assert current_window(changes) == 1
    moved = config(split={"window": 1}, promotion=dict(often.promotion))
    third = nights.consider(nights.night("moved", n=1620, settings=moved)).comparison
    assert third["use"]["most"] == 3
    assert 0.15 < third["left_out"] / (third["n"] + third["left_out"]) < 0.35, "a quarter was replaced"
    counts = pd.read_parquet(nights.study / COUNTS)
    assert set(counts) == {"judge", "comparisons"}
    assert counts["judge"].dtype == "int64"
    assert stat.S_IMODE((nights.study / COUNTS).stat().st_mode) == 0o600


def test_a_study_whose_first_runs_fail_has_no_champion(tmp_path):
    nights = Nights(tmp_path / "runs")
    assert nights.consider(nights.night("a", n=300, status="fail")).champion is None
    assert not (nights.study / "champion").exists()
    assert nights.consider(nights.night("b", n=300, status="warn")).champion == "b"


@pytest.mark.parametrize("run_id", ["one", "worse", "gates"])
def test_the_same_run_again_changes_nothing_and_writes_nothing(run_id, nights):
    considered(nights, run_id)
    before = {path: path.lstat().st_mtime_ns for path in nights.study.iterdir()}
    decision = considered(nights, run_id)
    assert (decision.action, decision.champion) == ("unchanged", "one")
    assert {path: path.lstat().st_mtime_ns for path in nights.study.iterdir()} == before


def test_the_same_model_in_another_run_needs_no_comparison(nights):
    decision = nights.consider(nights.night("again"))
    assert (decision.action, decision.comparison) == ("promoted", None)
    assert "champion's own model" in decision.reason
    assert nights.champion == "again"


def test_a_former_champion_does_not_return_by_itself(nights):
    considered(nights, "alike")
    decision = considered(nights, "one")
    assert (decision.action, nights.champion) == ("kept", "alike")
    assert "Only a person" in decision.reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 1520, "first": 0, "seed": 5}, None),  # another split: the old training patients are left out, enough are left
        ({"n": 150, "first": 4000}, "at least 15 events are needed"),
        ({"settings": config(subject_id=None, group=None)}, "the study changed since: subject_id, group"),
        ({"settings": config(outcome={"column": "died", "event": 0})}, "the study changed since: outcome"),
    ],
    ids=["another split", "few events", "other names", "other outcome"],
)
def test_where_nobody_can_tell_the_champion_stays(options, said, nights):
    decision = nights.consider(nights.night("odd", **options))
    if said is None:
        assert decision.comparison["left_out"] > 200
        return
    assert (decision.action, nights.champion) == ("kept", "one")
    assert said in decision.reason


def test_rows_without_names_cannot_be_told_from_those_the_champion_was_trained_on(tmp_path):
    nights = Nights(tmp_path / "runs")
    nameless = config(subject_id=None)
    nights.consider(nights.night("a", settings=nameless))
    assert nights.consider(nights.night("b", n=1530, settings=nameless)).comparison["n"] > 300  # families have names
    alone = config(subject_id=None, group=None)
    last = nights.night("c", settings=alone)
    promote(last.folder, reason="no families any more")
    cohort, test = split_of(last)
    cohort = replace(cohort, group_name=np.full(len(cohort), None))
    night = nights.night("d", n=1530, settings=alone)
    held = tmp_path / "split"
    held.mkdir()
    save_cohort(held, cohort, test)
    decision = nights.consider(type(night)(night.config, night.folder, {**night.folders, "split": held}))
    assert decision.action == "kept"
    assert "patients in the hold-out, 0 with 0 events are none that the champion was trained on" in decision.reason


@pytest.mark.parametrize("damage", ["gone", "flipped", "columns", "format"])
def test_a_champion_whose_model_cannot_be_used_stays_and_a_person_is_told(damage, nights):
    night = taken_up(nights, "alike")
    old = taken_up(nights, "one").folders["model"]
    if damage == "gone":
        shutil.rmtree(old)
    elif damage == "flipped":
        (old / "evaluated_model.json").write_text((old / "evaluated_model.json").read_text().replace("none", "nine", 1))
    elif damage == "columns":
        units = {"columns": {**COLUMNS, "severity": {"kind": "continuous", "unit": "mm"}}}
        night = nights.night("units", n=1530, settings=config(columns=units))
    before = nights.state()
    decision = nights.consider(night) if damage != "format" else _of_another_version(nights, night)
    assert (decision.action, decision.champion) == ("kept", "one")
    assert decision.warning == f"The champion one of small stays. {decision.reason}"
    words = {
        "gone": "is not in the store",
        "flipped": "is damaged",
        "columns": "its columns severity are other",
        "format": "must have format",
    }
    assert words[damage] in decision.reason
    assert nights.state()[1:] == before[1:]


def _of_another_version(nights, night):
    with pytest.MonkeyPatch.context() as patch:
        load = load_deployed

        def only_new(folder, name):
            if folder == night.folders["model"]:
                return load(folder, name)
            patch.setattr("mgvae.classifiers.deployed.FORMATS", (99,))
            return load(folder, name)

        patch.setattr("flows.runs.comparison.load_deployed", only_new)
        return nights.consider(night)


def test_a_champion_whose_run_folder_is_gone_is_told(nights):
    shutil.rmtree(nights.study / "one")
    decision = considered(nights, "worse")
    assert (decision.action, decision.champion) == ("cannot_judge", "one")
    assert "small/one of the champion is missing or damaged" in decision.warning


def test_no_patient_in_the_log(nights):
    for run_id in ("alike", "worse", "gates"):
        considered(nights, run_id)
    text = (nights.study / "audit.jsonl").read_text()
    assert "zebra" not in text
    assert "family-" not in text
