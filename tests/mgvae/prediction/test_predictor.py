"""A risk is the patient's own: no order of rows or columns, no format of a file changes a bit of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import mgvae
from mgvae.classifiers.deployed import content_of
from mgvae.cohort.build import build_cohort
from mgvae.errors import CheckpointError, ConfigError, DamagedArtifactError, DataError
from mgvae.evaluation.deployed_model import fit_deployed
from mgvae.extract.read import typed_rows
from mgvae.prediction.model_file import ModelFile, read_from_run, settings_of, text_of, updated_path
from mgvae.prediction.output import MEDS, check_output, meds_rows, outputs, risk_rows
from mgvae.prediction.predictor import Predictor
from mgvae.results.evaluation import Line
from mgvae.store.artifact import digest_file
from tests.flows.simulated_study import study_config, table

CLASSIFIERS = ("logistic_regression", "elastic_net", "hist_gradient_boosting", "majority_guided", "ensemble")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def raw(n=400, **options):
    """Return patients as an extract stores them, without an outcome."""
    return table(n, events=max(5, n // 12), **options).drop(columns="died")


def file_of(classifier="logistic_regression", arm="none", **changes):
    config = study_config(evaluation__classifiers=[classifier])
    frame = table(500, events=45)
    read, _ = typed_rows(config, {name: pa.array(frame[name]) for name in frame})
    cohort = build_cohort(config, read)
    model = fit_deployed(cohort, config, arm=arm, classifier=classifier, recalibration=Line(intercept=0.2, slope=0.9))
    entries = {"study": "small", "run_id": "r", "version": "r", "created_at": "2026", "code_version": "c", "answer": "no_gain"}
    numbers = {"threshold": 0.1, "patients": 500, "events": 45, "split_sha256": "0" * 64}
    return ModelFile(**entries, **numbers, settings=settings_of(config), model=content_of(model), **changes)


@pytest.fixture(scope="module")
def file():
    return file_of()


@pytest.fixture(scope="module")
def path(file, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.json"
    path.write_text(text_of(file), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model(path):
    return mgvae.load_model(path)


@pytest.mark.parametrize("classifier", CLASSIFIERS)
def test_rows_and_columns_in_any_order_have_the_same_risks(classifier, tmp_path):
    (tmp_path / "m.json").write_text(text_of(file_of(classifier)), encoding="utf-8")
    model, frame = mgvae.load_model(tmp_path / "m.json"), raw(1000)
    whole = model.predict(frame, at=NOON)
    shuffled = frame.sample(frac=1, random_state=1)[list(reversed(frame.columns))]
    pd.testing.assert_frame_equal(model.predict(shuffled, at=NOON).loc[frame.index], whole)
    alone = pd.concat([model.predict(frame.iloc[[at]], at=NOON) for at in range(20)])
    pd.testing.assert_frame_equal(alone, whole.iloc[:20])
    assert whole["risk"].between(0, 1).all()
    assert whole["risk"].nunique() > 300


def test_the_risk_is_the_models_own(model):
    frame = raw()
    expected = model.model.predict(model.score(*typed_rows(model.config, _cells(model, frame))).features)
    np.testing.assert_allclose(model.predict(frame)["risk"], expected, atol=1e-10, rtol=0)


def _written_in_part(output, rows):
    output.add(rows)
    output.add(None)


def _cells(model, frame):
    return {name: pa.array(frame[name]) for name in model.needed}


def test_what_is_odd_in_a_row_is_flagged_and_changes_no_other_row(model):
    frame = raw().astype(object)
    whole = model.predict(frame, at=NOON)
    changes = [(0, "age", 111, "range: age"), (1, "age", "old", "unreadable: age"), (2, "ward", "south", "level: ward")]
    changes += [(3, "visits", 2.5, "range: visits"), (4, "first_seen", "2031-01-01", "range: first_seen")]
    changes += [(5, "index_day", None, "index_date"), (6, "crp", 1e9, "far")]
    for row, column, value, _ in changes:
        frame.loc[row, column] = value
    found = model.predict(frame, at=NOON)
    for row, _, _, flag in changes:
        assert flag in found.loc[row, "flags"].split("; ")
    assert found.loc[5, "prediction_time"] == pd.Timestamp("2026-01-02 12:00")
    assert found.loc[7, "prediction_time"] == pd.Timestamp(frame.loc[7, "index_day"])
    pd.testing.assert_frame_equal(found.iloc[7:], whole.iloc[7:])


@pytest.mark.parametrize(("value", "flagged"), [(110, False), (110.001, True), (18, False), (17.999, True)])
def test_the_bounds_of_the_dictionary_belong_to_its_range(value, flagged, model):
    frame = raw(20).astype({"age": float})
    frame.loc[0, "age"] = value
    assert ("range: age" in model.predict(frame).loc[0, "flags"]) == flagged


def test_patients_like_those_of_the_study_are_seldom_far(model):
    assert (model.predict(raw(3000, seed=5))["flags"].str.contains("far")).mean() < 0.02


def test_a_level_that_no_training_patient_had_is_flagged(file):
    region = {**file.model["region"], "unseen": {"ward": ["west"]}}
    model = Predictor(file.model_copy(update={"model": {**file.model, "region": region}}))
    frame = raw(50)
    assert ((frame["ward"] == "west") == model.predict(frame)["flags"].str.contains("level: ward")).all()


def test_alerts_begin_at_the_threshold(model):
    risks = model.predict(raw())
    cut = float(risks["risk"].median())
    assert (risks["alert"] == (risks["risk"] >= 0.1)).all()
    assert model.with_threshold(float(risks["risk"].iloc[3])).predict(raw())["alert"].iloc[3]
    assert 0 < model.with_threshold(cut).predict(raw())["alert"].mean() < 1


def test_a_table_without_a_predictor_is_refused(model):
    with pytest.raises(DataError, match=r"absent: age\."):
        model.predict(raw().drop(columns="age"))


def test_the_file_is_refused_once_a_bit_has_changed(path, tmp_path):
    content = json.loads(path.read_text())
    changed = tmp_path / "model.json"
    changed.write_text(json.dumps({**content, "threshold": 0.2}))
    with pytest.raises(DamagedArtifactError, match="it was changed"):
        mgvae.load_model(changed)
    changed.write_text(json.dumps({**content, "format": 9}))
    with pytest.raises(CheckpointError, match="another version made it"):
        mgvae.load_model(changed)
    changed.write_text("{")
    with pytest.raises(CheckpointError, match="none, or damaged"):
        mgvae.load_model(changed)
    with pytest.raises(ConfigError, match="no such file"):
        mgvae.load_model(tmp_path / "elsewhere")


def test_a_file_of_a_version_with_other_settings_predicts_the_same(file):
    settings = {**file.settings, "moon": {"phase": 1}, "evaluation": {**file.settings["evaluation"], "margin_of_old": 0.1}}
    older = Predictor(file.model_copy(update={"settings": settings}))
    pd.testing.assert_frame_equal(older.predict(raw(20), at=NOON), Predictor(file).predict(raw(20), at=NOON))
    assert older.config.outcome == Predictor(file).config.outcome


def test_a_model_put_in_place_of_a_runs_own_is_refused(file, tmp_path):
    """A file with a right digest of its own, yet none that the run's manifest names."""
    model = tmp_path / "model.json"
    model.write_text(text_of(file), encoding="utf-8")
    (tmp_path / "manifest.json").write_text(json.dumps({"files": {"model.json": digest_file(model)}}))
    assert read_from_run(tmp_path) == mgvae.load_model(tmp_path).file
    model.write_text(text_of(file.model_copy(update={"threshold": 0.5})), encoding="utf-8")
    with pytest.raises(DamagedArtifactError, match=r"manifest\.json"):
        mgvae.load_model(tmp_path)


def test_an_updated_version_lies_beside_the_runs(file, tmp_path):
    run = tmp_path / "study" / "r"
    run.mkdir(parents=True)
    with pytest.raises(ConfigError, match="there is none"):
        mgvae.load_model(run, version="+1")
    place = updated_path(run, "r+1")
    place.parent.mkdir()
    place.write_text(text_of(file.model_copy(update={"version": "r+1"})), encoding="utf-8")
    assert mgvae.load_model(run, version="+1").version == "r+1"


def test_the_schema_of_meds(file):
    model = Predictor(file)
    frame = raw(5)
    scored = model.score(*typed_rows(model.config, _cells(model, frame)), at=NOON)
    with pytest.raises(DataError, match="5 patients have other names"):
        meds_rows(scored)
    frame["patient"] = [2**62, 7, 1, 3, 4]
    scored = model.score(*typed_rows(model.config, _cells(model, frame)), at=NOON)
    made = meds_rows(scored)
    assert made.schema == MEDS
    assert made["subject_id"].to_pylist() == [2**62, 7, 1, 3, 4]
    assert made["predicted_boolean_probability"].to_pylist() == scored.table["risk"].tolist()


def test_a_file_is_there_whole_or_not_at_all(model, tmp_path):
    scored = model.score(*typed_rows(model.config, _cells(model, raw(5))), at=NOON)
    target = tmp_path / "risks.parquet"
    with pytest.raises(AttributeError, match="schema"), outputs(target) as (output,):
        _written_in_part(output, risk_rows(scored))
    assert list(tmp_path.iterdir()) == []
    with outputs(target) as (output,):
        output.add(risk_rows(scored))
        output.add(risk_rows(scored))
    assert [path.name for path in tmp_path.iterdir()] == ["risks.parquet"]
    assert parquet.read_table(target)["risk"].to_pylist() == 2 * scored.table["risk"].tolist()
    with pytest.raises(ConfigError, match="--force"):
        check_output(target, force=False)
    with pytest.raises(ConfigError, match=r"\.csv or \.parquet"):
        check_output(tmp_path / "risks.txt", force=False)
