"""Predictions of a MEDS study as the scorer of MEDS-DEV reads them, several predictions of a subject among them."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from mgvae.classifiers.deployed import content_of
from mgvae.cohort.build import build_cohort
from mgvae.config.study import load_config
from mgvae.ehr.build import build_study
from mgvae.evaluation.deployed_model import fit_deployed
from mgvae.extract.read import read_extract
from mgvae.prediction.model_file import ModelFile, settings_of
from mgvae.prediction.output import MEDS, meds_rows
from mgvae.prediction.predictor import Predictor
from mgvae.results.evaluation import Line

SOURCE = {
    "predicates": {"admission": {"code": "ADMISSION"}, "death": {"code": "DEATH"}},
    "index": {"event": "admission", "offset_days": 0.5, "first_only": False},
    "outcome": {"events": "death", "start_days": 0, "end_days": 20},
    "predictors": {"lookback_days": ["all"], "aggregations": ["last"], "min_patients": 1},
}


def write_events(path, n=90):
    """Write two admissions, with a laboratory value each, of so many subjects; a high value is followed by more deaths."""
    rng, rows = np.random.default_rng(0), []
    for subject in range(1, n + 1):
        for start in pd.to_datetime(["2150-01-01 08:17", "2150-03-01 21:40"]) + pd.Timedelta(minutes=subject):
            value = round(rng.normal(), 3)
            rows += [(subject, start, "ADMISSION", None), (subject, start + pd.Timedelta(hours=1), "LAB", value)]
            rows.append((subject, start + pd.Timedelta(days=30), "VISIT", None))
            if rng.random() < 1 / (1 + np.exp(2 - 2 * value)):
                rows.append((subject, start + pd.Timedelta(days=9), "DEATH", None))
    table = pd.DataFrame(rows, columns=["subject_id", "time", "code", "numeric_value"])
    table.sort_values(["subject_id", "time"]).to_parquet(path, index=False)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Return the labels joined with the predictions, as files of MEDS, and our own outcome and risk."""
    folder = tmp_path_factory.mktemp("meds")
    write_events(folder / "events.parquet")
    source = {"meds": str(folder / "events.parquet"), "prior_outcome": "keep", **SOURCE}
    (folder / "cohort.yaml").write_text(json.dumps({"study": "icu", "source": source}), encoding="utf-8")
    study = build_study(folder / "cohort.yaml", folder / "built")
    config = load_config(study.folder / "cohort.yaml", settings=("evaluation.classifiers=[logistic_regression]",))
    extract = read_extract(config)
    cohort = build_cohort(config, extract.frame)
    line = Line(intercept=0.0, slope=1.0)
    model = fit_deployed(cohort, config, arm="none", classifier="logistic_regression", recalibration=line)
    texts = {"study": "icu", "run_id": "r", "version": "r", "created_at": "2026", "code_version": "c", "answer": "no_gain"}
    numbers = {"threshold": 0.2, "patients": len(cohort), "events": cohort.events, "split_sha256": "0" * 64}
    file = ModelFile(**texts, **numbers, settings=settings_of(config), model=content_of(model))
    found = Predictor(file).score(extract.frame, extract.unreadable)
    pq.write_table(meds_rows(found), folder / "risks.parquet")
    labels, risks = pq.read_table(study.folder / "labels.parquet"), pq.read_table(folder / "risks.parquet")
    table = labels.join(risks, keys=["subject_id", "prediction_time"], join_type="inner")
    return table, cohort.event, found.table["risk"].to_numpy()


def test_labels_and_predictions_name_the_same_subjects_and_times(scored):
    table, event, risk = scored
    assert set(MEDS.names) < set(table.column_names)
    assert len(table) == len(event) == 180
    assert sum(table["boolean_value"].to_pylist()) == event.sum()
    assert roc_auc_score(table["boolean_value"], table["predicted_boolean_probability"]) == roc_auc_score(event, risk)
    assert len(set(table["subject_id"].to_pylist())) == 90


def test_the_scorer_of_meds_dev_finds_our_measures(scored):
    polars, tool = pytest.importorskip("polars"), pytest.importorskip("meds_evaluation.evaluate")
    table, event, risk = scored
    found = tool.evaluate_binary_classification(polars.from_arrow(table))["samples_equally_weighted"]
    measures = (roc_auc_score, average_precision_score, brier_score_loss)
    for measure in measures:
        assert found[measure.__name__.removesuffix("_loss")] == pytest.approx(measure(event, risk), abs=1e-6)
    assert found["roc_auc_score"] > 0.7
