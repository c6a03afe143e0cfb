"""`mgvae generate`: further cases of a finished run, in the schema of its own, the same for the same seed."""

import json
import shutil
import stat

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from flows.runs.folder import finished_run
from flows.study.generate import generate
from mgvae.cohort.files import load_cohort
from mgvae.config.study import load_config
from mgvae.errors import DamagedArtifactError, StoreError
from mgvae.store.artifact import digest
from tests.flows.command_line import refused
from tests.flows.flow_tools import artifact
from tests.flows.simulated_study import CANARY, COLUMNS


@pytest.fixture(scope="module")
def made(finished, tmp_path_factory):
    """Return 300 further cases of the finished run."""
    path = tmp_path_factory.mktemp("made") / "more.parquet"
    generate(finished.run, n=300, out=path, seed=1)
    return path


def test_the_schema_and_the_label_are_those_of_the_runs_own(finished, made):
    own, more = (pq.read_schema(path) for path in (finished.run / "synthetic.parquet", made))
    assert more.remove_metadata() == own.remove_metadata()
    for key in (b"mgvae.label", b"mgvae.note"):
        assert more.metadata[key] == own.metadata[key]


def test_as_many_as_asked_for_also_more_than_there_are_parents(finished, made, tmp_path):
    assert len(pd.read_parquet(made)) == 300
    generate(finished.run, n=2000, out=tmp_path / "many.parquet", seed=1)
    assert len(pd.read_parquet(tmp_path / "many.parquet")) == 2000


def test_they_obey_the_dictionary(made):
    table = pd.read_parquet(made)
    for name, column in COLUMNS.items():
        if name in table and "categories" in column:
            assert set(table[name].dropna()) <= set(column["categories"])
        if name in table and "range" in column:
            low, high = column["range"]
            assert table[name].dropna().between(low, np.inf if high is None else high).all()
    assert (table["died"] == "yes").all()
    assert (table["visits"].dropna() >= 0).all()


def test_parents_are_majority_patients_of_the_training_part(finished, report, made):
    cohort, test = load_cohort(artifact(finished.out, report, "split"))
    assert set(pd.read_parquet(made)["parent_id"]) <= set(cohort.subject[~test & ~cohort.event])


def test_the_same_seed_gives_the_same_bytes_and_another_other_rows(finished, made, tmp_path):
    generate(finished.out / "small" / "latest", n=300, out=tmp_path / "again.parquet", seed=1)
    assert (tmp_path / "again.parquet").read_bytes() == made.read_bytes()
    generate(finished.run, n=300, out=tmp_path / "other.parquet", seed=2)
    assert not pd.read_parquet(tmp_path / "other.parquet").equals(pd.read_parquet(made))


def test_they_are_other_cases_than_the_runs_own_also_with_its_seed(finished, tmp_path):
    own = pd.read_parquet(finished.run / "synthetic.parquet")
    generate(finished.run, n=len(own), out=tmp_path / "more.parquet", seed=0)
    assert not pd.read_parquet(tmp_path / "more.parquet")["parent_id"].equals(own["parent_id"])


def test_only_the_owner_may_read_and_nothing_else_remains(made):
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert [path.name for path in made.parent.iterdir()] == ["more.parquet"]


def test_the_settings_are_those_of_the_run_whatever_cohort_yaml_says_today(finished, tmp_path):
    config = load_config(finished.cohort)
    assert finished_run(finished.run).config == config.model_copy(update={"extract": "(not kept)"})
    assert "extract" not in json.loads((finished.run / "manifest.json").read_text())["config"]


def test_the_command(finished, made, mgvae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = mgvae("generate", finished.run, "--n", 300, "--out", "more.parquet", "--seed", 1)
    assert (said.code, said.out) == (0, "more.parquet\n")
    assert said.err == "Not anonymous: training material for inside the study team.\n"
    assert (tmp_path / "more.parquet").read_bytes() == made.read_bytes()
    refused(mgvae("generate", finished.run, "--n", 3, "--out", "more.parquet"), "is there already", "--force")
    assert mgvae("generate", finished.run, "--n", 3, "--out", "more.parquet", "--force").code == 0
    assert len(pd.read_parquet("more.parquet")) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--n", 0, "--out", "a.parquet"), ("--n must be 1 or more; got 0",)),
        (("--n", -3, "--out", "a.parquet"), ("--n must be 1 or more; got -3",)),
        (("--n", "x", "--out", "a.parquet"), ("Invalid value for '--n'",)),
        (("--n", 3, "--out", "a.csv"), ("a.csv", "ends in .parquet")),
        (("--n", 3, "--out", "none/a.parquet"), ("its folder must exist",)),
        (("--n", 3, "--out", "a.parquet", "--seed", -1), ("--seed must be from 0",)),
        (("--n", 3), ("Missing option '--out'",)),
        (("--out", "a.parquet"), ("Missing option '--n'",)),
    ],
    ids=str,
)
def test_wrong_orders(options, words, finished, mgvae, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(mgvae("generate", finished.run, *options), *words)
    assert not list(tmp_path.iterdir())


def changed(run, **changes):
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | changes))


def test_a_failed_gate_is_told_and_written_into_the_file(finished, mgvae, tmp_path):
    run = finished.copied(tmp_path) / "small" / "latest"
    changed(run, status="fail")
    said = mgvae("generate", run, "--n", 5, "--out", tmp_path / "a.parquet")
    assert said.code == 0
    assert "Warning: a gate of this run failed" in said.err
    assert pq.read_schema(tmp_path / "a.parquet").metadata[b"mgvae.note"].startswith(b"A gate failed")


@pytest.mark.parametrize("stage", ["split", "encode", "finetune"])
@pytest.mark.parametrize("damage", ["flip", "delete"])
def test_an_artifact_that_is_missing_or_damaged_is_named(stage, damage, finished, report, tmp_path):
    out = finished.copied(tmp_path)
    folder = artifact(out, report, stage)
    if damage == "flip":
        file = max(
            (path for path in folder.iterdir() if path.name not in ("manifest.json", "clock.json")), key=lambda p: p.name
        )
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    else:
        shutil.rmtree(folder)
    kind, said = (DamagedArtifactError, "is damaged") if damage == "flip" else (StoreError, "is not in the store")
    with pytest.raises(kind, match=rf"Artifact {stage} [0-9a-f]{{12}} {said}.*Run the study again"):
        generate(out / "small" / "latest", n=5, out=tmp_path / "a.parquet", seed=0)
    assert not (tmp_path / "a.parquet").exists()


def test_settings_that_are_not_those_of_the_run(finished, tmp_path):
    out = finished.copied(tmp_path)
    run = out / "small" / "latest"
    settings = json.loads((run / "manifest.json").read_text())["config"]
    changed(run, config=settings | {"outcome": settings["outcome"] | {"event": "no"}})
    with pytest.raises(StoreError, match="its settings must match their digest"):
        finished_run(run)
    known = digest({key: value for key, value in settings.items() if key != "seed"} | {"novelty": 1})
    lineage = json.loads((run / "manifest.json").read_text())["lineage"]
    changed(run, config=settings | {"novelty": 1}, lineage=lineage | {"config_sha256": known})
    with pytest.raises(StoreError, match="settings that this version knows"):
        finished_run(run)
    changed(run, config=None)
    with pytest.raises(StoreError, match="must hold the run's settings; an earlier version made it"):
        finished_run(run)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b'{"status": "pass", "lineage": {"artifacts": []}}'], ids=repr)
def test_a_damaged_manifest(content, mgvae, tmp_path):
    (tmp_path / "manifest.json").write_bytes(content)
    refused(mgvae("generate", tmp_path, "--n", 3, "--out", tmp_path / "a.parquet"), "must be the manifest of a run", "again")


def test_no_run_and_a_refused_run(finished, mgvae, tmp_path):
    refused(mgvae("generate", tmp_path / "none", "--n", 3, "--out", tmp_path / "a.parquet"), "manifest.json: no such file")
    run = finished.copied(tmp_path) / "small" / "latest"
    changed(run, status="invalid")
    refused(mgvae("generate", run, "--n", 3, "--out", tmp_path / "a.parquet"), "failed validation, so nothing was trained")


def test_nothing_is_said_of_patients(finished, mgvae, tmp_path):
    said = mgvae("generate", finished.run, "--n", 2000, "--out", tmp_path / "a.parquet")
    assert CANARY not in said.out + said.err
    assert CANARY not in (finished.run / "manifest.json").read_text()
    assert json.loads((finished.run / "manifest.json").read_text())["config"]["study"] == "small"


def test_a_folder_that_cannot_be_written(finished, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mgvae.generator.release.write_labelled", fail)
    with pytest.raises(StoreError, match="must be writable with space left; No space left"):
        generate(finished.run, n=3, out=tmp_path / "a.parquet", seed=0)
    assert not list(tmp_path.iterdir())
