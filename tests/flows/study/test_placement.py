"""Placed stages: what is wrong with a server, a deployment or another side's code is said, and nothing is half done."""

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.redaction import OrchestrationError
from flows.study.placement import place, stage_flow, write_settings
from flows.study.stage_runner import StageCall
from flows.study.stages.registry import STAGES
from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from mgvae.store.artifact import Reference
from mgvae.store.open import open_store
from tests.flows.flow_tools import fresh_from, run_study
from tests.flows.simulated_study import write_study

BY_NAME = {stage.name: stage for stage in STAGES}


@pytest.fixture
def call(finished, report):
    artifacts = report["lineage"]["artifacts"]
    inputs = {"split": Reference("split", artifacts["split"])}
    return StageCall(BY_NAME["encode"], load_config(finished.cohort), inputs)


def sent(call, store, **changes):
    """Carry out on this side what another one ordered."""
    settings = store.save("settings", lambda folder: write_settings(call, folder), about={})
    told = {
        "stage": call.stage.name,
        "key": call.key,
        "settings": settings.sha256,
        "inputs": {name: one.to_json() for name, one in call.inputs.items()},
        "out": str(store.root.parent),
        "store": store.label,
    }
    return stage_flow(**(told | changes))


def test_the_other_side_makes_the_same_artifact_under_the_same_key(finished, report, call, tmp_path):
    from flows.runs.records import read_record

    out = fresh_from(finished, tmp_path, "encode")
    store = open_store(out)
    store.discard(Reference("encode", report["lineage"]["artifacts"]["encode"]))
    sent(call, store)
    assert read_record(store, call.key) == Reference("encode", report["lineage"]["artifacts"]["encode"])


def test_other_code_on_the_other_side_is_refused(finished, call, tmp_path):
    store = open_store(fresh_from(finished, tmp_path, "encode"))
    with pytest.raises(OrchestrationError, match=r"this worker has others\. Install the same version"):
        sent(call, store, key="encode-" + "0" * 64)


def test_an_unknown_stage_is_refused(finished, call, tmp_path):
    store = open_store(fresh_from(finished, tmp_path, "encode"))
    with pytest.raises(OrchestrationError, match="'encoding' must be one of validate, split"):
        sent(call, store, stage="encoding")


def test_the_other_side_is_confined_too(finished, call, tmp_path, monkeypatch):
    store = open_store(fresh_from(finished, tmp_path, "encode"))
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path / "elsewhere"))
    with pytest.raises(ConfigError, match="out: must lie below one of the folders"):
        sent(call, store)


def test_without_a_server_nothing_is_sent(finished, call):
    store = open_store(finished.out)
    with temporary_settings(restore_defaults={PREFECT_API_URL}), pytest.raises(OrchestrationError, match="make up"):
        place(call, "gpu", store, finished.out)


def test_a_deployment_that_is_not_registered_is_named(finished, tmp_path):
    out = fresh_from(finished, tmp_path, "pretrain")
    with pytest.raises(OrchestrationError, match=r"deployment mgvae-stage/gpu must be registered.*make deploy"):
        run_study(finished.cohort, out, "stages={pretrain: gpu}")
    assert not list(out.rglob(".writing-*"))


def test_a_pool_or_stage_that_does_not_exist_is_refused(tmp_path):
    cohort = write_study(tmp_path)
    with pytest.raises(ConfigError, match="stages"):
        load_config(cohort, settings=("stages={pretrain: tpu}",))
    with pytest.raises(ConfigError, match="stages"):
        load_config(cohort, settings=("stages={pretraining: gpu}",))


def test_placement_says_nothing_of_the_study(tmp_path):
    from flows.study.lineage import config_sha256

    cohort = write_study(tmp_path)
    placed = load_config(cohort, settings=("stages={pretrain: gpu}",))
    assert config_sha256(placed) == config_sha256(load_config(cohort))
