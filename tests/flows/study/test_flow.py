"""What a complete run leaves: report.json, the run folder, the synthetic rows; and what a failed gate or validation leaves."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.study.flow import cohort_flow
from flows.study.outcome import RunRefusedError
from flows.study.stages.registry import STAGES
from mgvae.cohort.files import load_cohort
from mgvae.config.strict import build
from mgvae.errors import ExtractError, OutcomeError
from mgvae.extract.parts import digest
from mgvae.report.schema import Report
from mgvae.store.artifact import digest_file
from tests.flows.flow_tools import NAMES, Heard, artifact, run_study
from tests.flows.simulated_study import COLUMNS, table, write_study

pytestmark = pytest.mark.usefixtures("database")
STRICT = ("gates.separation_fail=5", "gates.separation_warn=6")
PUBLISHED = ("model.json", "model_card.md", "predictions.parquet", "report.html", "report.json", "synthetic.parquet")


@pytest.fixture(scope="module")
def synthetic(finished):
    return pd.read_parquet(finished.run / "synthetic.parquet")


@pytest.fixture(scope="module")
def split(finished, report):
    """The cohort and which of it is the test part."""
    return load_cohort(artifact(finished.out, report, "split"))


def test_it_keeps_to_its_contract(report):
    assert build(Report, report, source="report.json").study == "small"


def test_the_keys_that_others_read(report):
    assert {"study", "run_id", "cohort", "validation", "training", "synthetic", "evaluation", "recommendation"} <= set(report)
    assert {"instability", "learning_curve"} <= set(report)
    assert report["validation"]["passed"] is True
    assert report["validation"]["failed"] == []
    assert {"epochs", "seconds", "heldout_elbo"} <= set(report["training"]["pretrain"])
    assert {"epochs", "seconds", "heldout_elbo", "ewc_lambda"} <= set(report["training"]["finetune"])
    assert {"metric", "value", "low", "high"} <= set(report["recommendation"]["difference"])
    gate = {"name", "value", "low", "high", "threshold", "verdict"}
    assert all(gate <= set(one) for one in report["synthetic"]["gates"])
    lineage = {"extract_sha256", "config_sha256", "code_version", "seed", "artifacts"}
    assert lineage <= set(report["lineage"])


def test_every_arm_and_classifier_is_measured_raw_and_recalibrated(report):
    assert set(report["evaluation"]["arms"]) == {"none", "random_oversampling", "mgvae"}
    for by_classifier in report["evaluation"]["arms"].values():
        scores = by_classifier["logistic_regression"]
        for variant in ("raw", "recalibrated"):
            auroc = scores[variant]["auroc"]
            assert 0 <= auroc["low"] <= auroc["value"] <= auroc["high"] <= 1


def test_the_cohort_is_the_extract_s(report, split):
    cohort, test = split
    facts = report["cohort"]
    assert (facts["n"], facts["events"], facts["groups"], facts["groups_divided"]) == (600, 40, 300, False)
    assert facts["prevalence"] == pytest.approx(40 / 600)
    assert (facts["n_train"], facts["n_test"]) == (int((~test).sum()), int(test.sum()))
    assert facts["n_train"] + facts["n_test"] == 600
    assert facts["events_train"] + facts["events_test"] == 40
    assert [column["name"] for column in facts["columns"]] == list(cohort.features)
    missing = {column["name"]: column["missing"] for column in facts["columns"]}
    expected = table().replace({"crp": "-9"}, "")["crp"].eq("").mean()
    assert missing["crp"] == pytest.approx(expected, abs=1e-9)
    assert missing["age"] == 0


def test_a_family_is_on_one_side(split):
    cohort, test = split
    assert not set(cohort.group[test]) & set(cohort.group[~test])


def test_lineage_names_the_bytes(finished, report):
    lineage = report["lineage"]
    assert lineage["extract_sha256"] == digest_file(finished.cohort.parent / "extract.csv")
    assert list(lineage["artifacts"]) == NAMES
    assert [stage["name"] for stage in lineage["stages"]] == NAMES
    for stage in NAMES:
        manifest = json.loads((artifact(finished.out, report, stage) / "manifest.json").read_text())
        needs = next(one.needs for one in STAGES if one.name == stage)
        assert manifest["inputs"] == {name: lineage["artifacts"][name] for name in needs}
        assert manifest["code"]


def test_the_page_stands_alone_and_shows_the_run(finished, report):
    page = (finished.run / "report.html").read_text(encoding="utf-8")
    assert report["run_id"] in page
    for outside in ("<script src", '<link rel="stylesheet"', 'src="http', "@import"):
        assert outside not in page


def test_files_and_their_rights(finished):
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in finished.run.iterdir()}
    assert files == {"figures": 0o700} | dict.fromkeys(("manifest.json", *PUBLISHED), 0o600)
    assert stat.S_IMODE(finished.run.stat().st_mode) == 0o700


def test_nobody_else_may_read_the_store(finished):
    assert stat.S_IMODE((finished.out / ".store").stat().st_mode) == 0o700
    files = [path for path in (finished.out / ".store" / "objects").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_the_manifest_names_every_file(finished, report):
    manifest = json.loads((finished.run / "manifest.json").read_text())
    figures = [f"figures/{path.name}" for path in (finished.run / "figures").iterdir()]
    assert {path.rpartition(".")[2] for path in figures} == {"svg", "csv"}
    assert manifest["files"] == {name: digest_file(finished.run / name) for name in (*PUBLISHED, *figures)}
    assert manifest["lineage"] == report["lineage"]


def test_latest_and_the_result(finished, report):
    assert (finished.out / "small" / "latest").resolve() == finished.run
    assert finished.run.name == report["run_id"]
    assert finished.result["status"] == report["status"] in ("pass", "warn")
    assert finished.result["exit_code"] == 0


def test_nothing_half_written(finished):
    assert not list(finished.out.rglob(".writing-*"))
    assert {path.name for path in finished.out.iterdir()} == {".store", "small"}


def test_columns_in_order(synthetic):
    features = [name for name, column in COLUMNS.items() if column.get("role", "feature") != "identifier"]
    features = [name for name in features if name not in ("index_day", "died")]
    assert list(synthetic) == ["parent_id", *features, "died"]
    assert set(synthetic["died"]) == {"yes"}


def test_numbers_keep_to_the_dictionary(synthetic):
    assert synthetic["age"].between(18, 110).all()
    assert synthetic["crp"].dropna().ge(0).all()
    assert synthetic["visits"].dtype == "Int64"
    assert synthetic["visits"].ge(0).all()
    assert not np.isinf(synthetic["crp"].dropna().astype(float)).any()


def test_levels_keep_to_the_dictionary(synthetic):
    assert set(synthetic["sex"]) <= {"f", "m"}
    assert set(synthetic["ward"].dropna()) <= {"east", "north", "west"}
    assert set(synthetic["stage"].dropna()) <= {1, 2, 3, 4}
    assert synthetic["stage"].dtype == "Int64"


def test_dates_are_days_that_do_not_lie_after_the_parent_s_index_date(synthetic):
    index = table().set_index("patient")["index_day"].loc[synthetic["parent_id"]].astype("datetime64[ns]")
    seen = synthetic["first_seen"]
    assert pd.api.types.is_datetime64_any_dtype(seen)
    known = seen.notna().to_numpy()
    assert (seen.to_numpy()[known] <= index.to_numpy()[known]).all()
    assert seen.dropna().dt.normalize().eq(seen.dropna()).all()


def test_missing_cells_are_generated_and_not_imputed_away(synthetic):
    assert synthetic[["crp", "ward", "stage"]].isna().any().all()
    assert synthetic[["age", "visits", "sex"]].notna().all().all()


def test_parents_are_training_majority_patients_and_never_test_subjects(synthetic, split):
    cohort, test = split
    majority = set(cohort.subject[~test & ~cohort.event])
    assert set(synthetic["parent_id"]) <= majority
    assert not set(synthetic["parent_id"]) & set(cohort.subject[test])


def test_they_balance_the_training_part(synthetic, report):
    facts = report["cohort"]
    assert len(synthetic) == report["synthetic"]["n"] == facts["n_train"] - 2 * facts["events_train"]


def test_the_file_says_what_its_rows_are(finished):
    metadata = pq.read_schema(finished.run / "synthetic.parquet").metadata
    assert b"Not anonymous" in metadata[b"mgvae.label"]
    assert metadata[b"mgvae.note"]


def test_the_hold_out_s_predictions_are_those_of_the_recommended_model(finished, report, split):
    cohort, test = split
    predicted = pd.read_parquet(finished.run / "predictions.parquet")
    assert predicted["subject"].tolist() == cohort.subject[test].tolist()
    assert predicted["group"].tolist() == cohort.group_name[test].tolist()
    event, probability = predicted["event"].to_numpy(), predicted["probability"].to_numpy()
    assert (event == cohort.event[test]).all()
    chosen = report["recommendation"]
    judged = report["evaluation"]["holdout"][chosen["arm"]][chosen["classifier"]]["recalibrated"]
    assert ((probability - event) ** 2).mean() == pytest.approx(judged["brier"]["value"], abs=1e-12)


@pytest.fixture(scope="module")
def barred(finished, tmp_path_factory):
    out = finished.copied(tmp_path_factory.mktemp("barred"))
    return run_study(finished.cohort, out, *STRICT)


def test_exit_code_2_and_a_report(barred):
    result, report = barred
    assert (result["status"], result["exit_code"]) == ("fail", 2)
    assert report["status"] == "fail"
    verdicts = {gate["name"]: gate["verdict"] for gate in report["synthetic"]["gates"]}
    assert verdicts["separation"] == "fail"
    build(Report, report, source="report.json")


def test_synthetic_cases_are_kept_out_of_the_recommended_model(barred):
    report = barred[1]
    recommendation = report["recommendation"]
    assert set(recommendation["barred"]) == {"mgvae"}
    assert "gate failed: Separation" in recommendation["barred"]["mgvae"]
    assert recommendation["arm"] != "mgvae"
    (gate,) = [one for one in report["findings"] if one["code"] == "MGV207"]
    assert "kept out of the recommended model" in gate["detail"]
    assert report["verdict"]["status"] == "failed"


def test_the_file_of_synthetic_rows_says_so(barred):
    metadata = pq.read_schema(Path(barred[0]["run"]) / "synthetic.parquet").metadata
    assert b"A gate failed: not for the recommended model" in metadata[b"mgvae.note"]


def test_the_command_ends_with_2(barred, finished, mgvae):
    out = Path(barred[0]["run"]).parents[1]
    said = mgvae("run", finished.cohort, "--out", out, *(f"--set={setting}" for setting in STRICT))
    assert said.code == 2
    assert "Status: fail" in said.out
    assert said.out.splitlines()[-1].endswith("small/latest/report.html")


def test_prefect_keeps_the_state_of_a_refused_run(barred, finished):
    out = Path(barred[0]["run"]).parents[1]
    state = cohort_flow(str(finished.cohort), out=str(out), settings=list(STRICT), return_state=True)
    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert state.message.startswith("Status: fail. ")
    with pytest.raises(RunRefusedError, match=r"^Status: fail\. "):
        state.result()


@pytest.fixture(scope="module")
def refused(finished, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    frame = table()
    frame.loc[3:5, "age"] = 417
    frame.loc[10, "patient"] = frame.loc[9, "patient"]
    out = finished.copied(folder)
    return out, *run_study(write_study(folder / "study", frame), out)


def test_exit_code_2_and_a_report_that_says_why(refused):
    _, result, report = refused
    assert (result["status"], result["exit_code"]) == ("invalid", 2)
    failed = {(one["column"], one["count"]) for one in report["validation"]["failed"]}
    assert failed == {("age", 3), ("patient", 2)}
    assert build(Report, report, source="report.json").status == "invalid"
    assert [report[key] for key in ("training", "synthetic", "evaluation", "recommendation")] == [None] * 4


def test_nothing_was_trained(refused):
    assert list(refused[2]["lineage"]["artifacts"]) == ["validate"]
    files = sorted(path.name for path in (refused[0] / "small" / refused[2]["run_id"]).iterdir())
    assert files == ["manifest.json", "report.html", "report.json"]


def test_the_last_good_run_is_untouched(refused, finished):
    good = refused[0] / "small" / finished.run.name
    assert {path.name: digest_file(path) for path in good.rglob("*.*")} == {
        path.name: digest_file(path) for path in finished.run.rglob("*.*")
    }


def test_no_value_of_a_patient_in_the_report(refused):
    run = refused[0] / "small" / refused[2]["run_id"]
    for path in run.iterdir():
        text = path.read_text(encoding="utf-8")
        assert "417" not in json.dumps(refused[2]["validation"])
        assert "horse" not in text
        assert "zebra" not in text


def test_the_mended_extract_runs_and_reuses_the_good_run(refused, finished, monkeypatch):
    heard = Heard(monkeypatch)
    result, _ = run_study(finished.cohort, refused[0])
    assert result["exit_code"] == 0
    assert all(reused for _, reused in heard.stages)
    assert (refused[0] / "small" / "latest").resolve().name == finished.run.name


def test_an_error_of_ours_passes_with_its_words(finished, tmp_path):
    cohort = write_study(tmp_path / "study", table(events=4), outcome__expected_prevalence=[0, 0.2])
    with pytest.raises(OutcomeError, match="needs at least 5 eligible subjects with the event"):
        run_study(cohort, tmp_path / "runs")
    assert not (tmp_path / "runs" / "small").exists()


def test_an_extract_that_changes_while_the_run_begins(finished, tmp_path, monkeypatch):
    cohort = write_study(tmp_path / "study")
    extract = tmp_path / "study" / "extract.csv"

    def digest_and_append(parts):
        found = digest(parts)
        extract.write_text(extract.read_text() + extract.read_text().splitlines()[-1].replace("0599", "0600") + "\n")
        return found

    monkeypatch.setattr("flows.study.flow.extract_digest", digest_and_append)
    with pytest.raises(ExtractError, match="changed during start-up"):
        run_study(cohort, tmp_path / "runs")
    monkeypatch.undo()
    assert not (tmp_path / "runs" / "small").exists()
