"""From a finished run to risks, to an external validation, to an updated version: files, exit codes, audit log."""

from __future__ import annotations

import json
import logging

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from flows.commands.report import plan_of
from flows.runs.audit_log import read
from flows.runs.champion import promote
from flows.study.scoring import kept_predictions
from mgvae.errors import StoreError
from mgvae.prediction.predictor import load_model
from mgvae.results.external import ExternalValidation
from tests.flows.simulated_study import CANARY, table


@pytest.fixture(scope="module")
def runs(finished, tmp_path_factory):
    return finished.copied(tmp_path_factory.mktemp("scoring"))


@pytest.fixture(scope="module")
def run(finished, runs):
    return runs / finished.run.parent.name / finished.run.name


@pytest.fixture(scope="module")
def patients(tmp_path_factory):
    """Patients without an outcome, as CSV and, in other orders, as Parquet."""
    folder, frame = tmp_path_factory.mktemp("patients"), table(400, events=30, seed=7).drop(columns=["died", "family"])
    frame.to_csv(folder / "patients.csv", index=False)
    frame.sample(frac=1, random_state=3)[list(reversed(frame.columns))].to_parquet(folder / "shuffled.parquet", index=False)
    return folder


def test_the_same_patients_have_the_same_risks_in_any_file(mgvae, run, patients, tmp_path):
    first = mgvae("predict", run, patients / "patients.csv", "--out", tmp_path / "a.parquet")
    second = mgvae("predict", run, patients / "shuffled.parquet", "--out", tmp_path / "b.csv", "--explain", "2")
    assert (first.code, second.code) == (0, 0)
    a = pd.read_parquet(tmp_path / "a.parquet").set_index("subject_id").sort_index()
    b = pd.read_csv(tmp_path / "b.csv").set_index("subject_id").sort_index()
    assert a["risk"].tolist() == b["risk"].tolist()
    assert (a["alert"] == (a["risk"] >= load_model(run).file.threshold)).all()
    by_hand = load_model(run).predict(pd.read_csv(patients / "patients.csv", dtype=str), explain=2)
    assert by_hand.set_index("subject_id").sort_index()["risk"].tolist() == a["risk"].tolist()
    assert by_hand.set_index("subject_id").sort_index()["contributor_1"].tolist() == b["contributor_1"].tolist()
    assert CANARY not in first.err + second.err


def test_patients_that_break_the_dictionary(mgvae, run, patients, tmp_path):
    frame = pd.read_csv(patients / "patients.csv", dtype=str)
    frame.loc[:3, "age"] = "400"
    frame.to_csv(tmp_path / "few.csv", index=False)
    said = mgvae("predict", run, tmp_path / "few.csv", "--out", tmp_path / "few.parquet")
    assert (said.code, "must be between 18 and 110 years" in said.err) == (0, True)
    assert (pd.read_parquet(tmp_path / "few.parquet")["flags"].str.contains("range: age")).sum() == 4
    strict = mgvae("predict", run, tmp_path / "few.csv", "--out", tmp_path / "none.csv", "--strict")
    frame.assign(age="400").to_csv(tmp_path / "all.csv", index=False)
    refused = mgvae("predict", run, tmp_path / "all.csv", "--out", tmp_path / "none.csv")
    frame.drop(columns="age").to_csv(tmp_path / "absent.csv", index=False)
    absent = mgvae("predict", run, tmp_path / "absent.csv", "--out", tmp_path / "none.csv")
    assert [said.code for said in (strict, refused, absent)] == [2, 2, 2]
    assert "must be a column of the extract" in absent.err
    assert not (tmp_path / "none.csv").exists()


def test_a_model_that_is_not_to_be_used_predicts_only_if_a_person_insists(mgvae, run, patients, tmp_path, monkeypatch):
    monkeypatch.setattr("flows.runs.serving.unfit_to_predict", lambda run, file: "The report recommends to deploy no model.")
    given = ("predict", run, patients / "patients.csv", "--out", tmp_path / "risks.csv")
    refused = mgvae(*given)
    assert (refused.code, "recommends to deploy no model" in refused.err, "--anyway" in refused.err) == (2, True, True)
    assert not (tmp_path / "risks.csv").exists()
    assert mgvae(*given, "--anyway").code == 0


@pytest.mark.parametrize(("answer", "unfit"), [("deploy_none", True), ("no_gain", False), ("use", False)])
def test_deploy_none_is_a_reason(answer, unfit, run):
    from flows.runs.serving import unfit_to_predict

    file = load_model(run).file.model_copy(update={"answer": answer})
    assert (unfit_to_predict(run, file) is not None) == unfit


def test_a_study_predicts_with_its_champion_and_keeps_what_it_said(mgvae, run, runs, patients, tmp_path):
    given = ("predict", run.parent.name, patients / "patients.csv", "--runs", runs, "--out", tmp_path / "r.csv", "--keep")
    said = mgvae(*given)
    assert (said.code, "must have a champion" in said.err) == (1, True)
    promote(run, reason="a test", force=True)
    assert mgvae(*given, "--at", "2026-01-02").code == 0
    ((record, kept),) = kept_predictions(run.parent)
    assert (record.model_version, record.counts.rows, record.scored_at) == (run.name, 400, "2026-01-02T00:00:00+00:00")
    assert kept["risk"].tolist() == pd.read_csv(tmp_path / "r.csv")["risk"].tolist()
    assert kept["group"].isna().all()
    (path,) = (run.parent / "scored").glob("*.parquet")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreError, match="changed or removed"):
        kept_predictions(run.parent)


def shifted(folder):
    """Half of the study's patients, older by ten years; called otherwise."""
    frame = table().sample(frac=0.5, random_state=1)
    frame = frame.assign(age=(frame["age"] + 10).clip(18, 110), patient="new-" + frame["patient"])
    frame.to_csv(folder / "half.csv", index=False)
    return folder / "half.csv"


def test_an_external_validation_changes_nothing_but_what_is_asked(mgvae, run, tmp_path):
    extract, before = shifted(tmp_path), {path.name: path.read_bytes() for path in run.rglob("*.*") if path.is_file()}
    said = mgvae("evaluate", run, extract, "--out", tmp_path / "out", "--update", "slope", "--why", "older patients")
    assert said.code == 0, said.err
    found = ExternalValidation.model_validate_json((tmp_path / "out" / "evaluation.json").read_bytes())
    assert (found.n, found.known) == (300, 0)
    assert found.scores["as it is"]["observed_expected"].value < 0.9  # their age promises more deaths than there are
    assert abs(found.scores["in the large"]["observed_expected"].value - 1) < 0.1
    assert found.case_mix.columns[0].column == "age"
    assert found.case_mix.membership.value > 0.65
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "External validation" in page
    assert "http" not in page.partition("</head>")[0].replace("http-equiv", "")
    assert {path.name: path.read_bytes() for path in run.rglob("*.*") if path.is_file()} == before
    (change,) = [change for change in read(run.parent)[0] if change.action == "updated"]
    assert change.reason.endswith("older patients")
    old, new = load_model(run), load_model(run, version="+1")
    assert (new.file.update.parent, new.file.update.why, new.file.update.parent_sha256) == (
        run.name,
        "older patients",
        old.file.sha256,
    )
    risk, updated = (model.predict(table(50, events=5).drop(columns="died"))["risk"] for model in (old, new))
    line = found.recalibration["weak"]
    np.testing.assert_allclose(updated, expit(line.intercept + line.slope * logit(risk)), atol=1e-6)
    first = mgvae("predict", run, extract, "--out", tmp_path / "r.csv", "--model-version", "+1")
    assert first.code == 0, first.err
    log = run.parent / "audit.jsonl"
    kept = log.read_bytes()
    log.write_bytes(b"\n".join(line for line in kept.split(b"\n") if b"older patients" not in line))
    unlogged = mgvae("predict", run, extract, "--out", tmp_path / "s.csv", "--model-version", "+1")
    log.write_bytes(kept)
    assert (unlogged.code, "audit log" in unlogged.err) == (1, True)


@pytest.mark.parametrize("kind", ["intercept", "refit"])
def test_a_new_level_moves_all_risks_alike_and_a_refit_learns_from_the_new_patients_alone(mgvae, run, tmp_path, kind):
    extract = shifted(tmp_path)
    said = mgvae("evaluate", run, extract, "--out", tmp_path / "out", "--update", kind, "--why", f"trial of {kind}")
    assert said.code == 0, said.err
    newest = max(int(path.stem.rpartition("+")[2]) for path in (run.parent / "models").glob("*+*.json"))
    old, new = load_model(run), load_model(run, version=f"+{newest}")
    assert (new.file.update.kind, new.file.update.n, new.file.threshold) == (kind, 300, old.file.threshold)
    frame = pd.read_csv(extract)
    before, after = (model.predict(frame.drop(columns="died"))["risk"].to_numpy() for model in (old, new))
    assert abs(after.mean() - new.file.update.events / 300) < 0.02
    moved = logit(after) - logit(before)
    if kind == "intercept":
        np.testing.assert_allclose(moved, moved[0], atol=1e-6)
    else:
        assert np.ptp(moved) > 0.1
        assert (new.file.patients, new.file.events) == (300, new.file.update.events)


def test_patients_of_the_study_are_no_external_validation(mgvae, run, tmp_path):
    table().to_csv(tmp_path / "same.csv", index=False)
    said = mgvae("evaluate", run, tmp_path / "same.csv", "--out", tmp_path / "out")
    assert (said.code, "600 of 600 patients have the name of a patient of the study" in said.err) == (0, True)


@pytest.mark.parametrize(
    ("events", "others", "known"),
    [(0, 100, 100), (100, 0, 100), (4, 60, 64), (60, 4, 64), (1, 4, 5), (20, 20, 0)],
    ids=["no event", "only events", "four events", "four without", "five rows", "no outcome known"],
)
def test_too_few_outcomes_are_one_clear_error(events, others, known, mgvae, run, tmp_path):
    few_outcomes(events, others, known).to_csv(tmp_path / "few.csv", index=False)
    said = mgvae("evaluate", run, tmp_path / "few.csv", "--out", tmp_path / "out")
    assert (said.code, (tmp_path / "out").exists()) == (1, False)
    happened = events if known else 0
    assert "at least 5 patients with the event and 5 without" in said.err
    assert f"of {events + others:,} rows it is known of {known:,}, {happened:,} with the event. Wait until" in said.err


def few_outcomes(events, others, known):
    frame = table()
    dead, alive = (frame[frame["died"] == value] for value in ("yes", "no"))
    chosen = pd.concat([dead.sample(events, replace=True, random_state=0), alive.head(others)])
    return chosen.assign(patient=[f"other-{place}" for place in range(len(chosen))], died=chosen["died"] if known else np.nan)


def test_the_fewest_outcomes_make_a_page_that_says_so(mgvae, run, tmp_path):
    few_outcomes(5, 5, 10).to_csv(tmp_path / "ten.csv", index=False)
    said = mgvae("evaluate", run, tmp_path / "ten.csv", "--out", tmp_path / "out")
    assert said.code == 0, said.err
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "Too few patients to tell" in page
    assert "With 5 patients with the event, fewer than 15, every interval is wide" in page
    assert "arms" not in said.err, "there is nothing to compare"


def test_the_nightly_scoring_writes_risks_and_logs_counts_alone(database, run, runs, patients, tmp_path, caplog):
    from flows.study.score_flow import score_flow

    with caplog.at_level(logging.INFO):
        state = score_flow(str(run), str(patients / "patients.csv"), str(tmp_path / "risks.csv"), str(runs), return_state=True)
    assert (state.is_completed(), state.message.startswith("400 patients scored")) == (True, True)
    assert len(pd.read_csv(tmp_path / "risks.csv")) == 400
    assert "patient-0" not in caplog.text
    pd.read_csv(patients / "patients.csv", dtype=str).assign(age="400").to_csv(tmp_path / "all.csv", index=False)
    refused = score_flow(str(run), str(tmp_path / "all.csv"), None, str(runs), return_state=True)
    assert (refused.name, "age must be between" in refused.message) == ("Refused", True)


def test_the_change_control_plan_has_the_numbers_of_the_rules(run):
    text = plan_of(run, as_page=False)
    config = json.loads((run / "manifest.json").read_text())["config"]
    for heading in ("1. Description of modifications", "2. Modification protocol", "3. Impact assessment"):
        assert f"## {heading}" in text
    assert f"fails from {config['drift']['psi_fail']:g}" in text
    assert f"-{config['promotion']['margin']:g}" in text
    page = plan_of(run, as_page=True)
    assert page.count("<table>") == 2
    assert "Impact assessment</h2>" in page
