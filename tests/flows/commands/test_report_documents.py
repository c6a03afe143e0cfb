import io
import json
import re
import shutil
import zipfile

import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.commands import documents
from flows.commands.documents import MEANS, asked_documents, print_page
from flows.runs.bundle import bundle
from flows.runs.folder import RunManifest
from flows.study.lineage import config_sha256
from mgvae.config.study import load_config
from mgvae.errors import ConfigError, StoreError
from mgvae.prediction.model_file import settings_of
from mgvae.report.schema import Report
from mgvae.store.artifact import digest
from tests.flows.simulated_study import CANARY, study_config
from tests.report_sample import sample_report


@pytest.fixture
def run(tmp_path):
    """A run folder of a sample report."""
    folder = tmp_path / "runs" / "small" / "abc"
    folder.mkdir(parents=True)
    settings = settings_of(study_config())
    content = sample_report()
    content["lineage"] |= {"config_sha256": digest({key: value for key, value in settings.items() if key != "seed"})}
    (folder / "report.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "report.html").write_text("<html><head></head><body>page</body></html>", encoding="utf-8")
    manifest = {key: content[key] for key in ("study", "run_id", "created_at", "status", "lineage")} | {"config": settings}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def said(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def test_alone_it_says_where_the_page_is_and_which_documents_there_are(run):
    answer = said(run)
    assert answer.exit_code == 0
    assert answer.output.startswith(f"{run / 'report.html'}\n")
    assert all(f"  {kind}" in answer.output for kind in MEANS)
    assert said(run / "report.html").output == answer.output


def test_all_documents_are_written_once(run, tmp_path):
    out = tmp_path / "made"
    answer = said(run, "--export", "all", "--out", out)
    assert answer.exit_code == 0, answer.exception
    assert answer.output.split() == [str(path) for path in map(out.joinpath, answer.output.replace(f"{out}/", "").split())]
    assert len(list(out.iterdir())) == 9
    assert "must not exist yet" in str(said(run, "--export", "hti1", "--out", out).exception)
    assert said(run, "--export", "hti1", "--out", out, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--export", "chia"], "must be one of .* Did you mean .?chai"),
        (["--pdf", "--pccp"], "one at a time"),
        (["--out", "x"], "must come with what to write"),
        (["--pdf", "--out", "x.txt"], r"must be a \.pdf file"),
        (["--pdf", "--paper", "a3"], "--paper a3: must be a4 or letter"),
        (["--paper", "letter"], "--paper must come with --pdf"),
    ],
)
def test_wrong_words_are_refused(run, words, message):
    found = said(run, *words).exception
    assert isinstance(found, ConfigError)
    with pytest.raises(ConfigError, match=message):
        raise found


def test_runs_stand_side_by_side(run, tmp_path):
    page = tmp_path / "compared.html"
    answer = said("compare", run, run / "report.html", "--out", page)
    assert answer.exit_code == 0, answer.exception
    assert "Measures of the recommended models" in answer.output
    assert "Measures of the recommended models" in page.read_text(encoding="utf-8")
    assert said("compare", run, run, "--out", page).exception is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compare", "RUN"], "needs two run folders"),
        (["compare", "RUN", "RUN", "--pdf"], "--pdf is for one run"),
        (["RUN", "RUN"], "several stand side by side with mgvae report compare"),
        (["compare", "RUN", "nowhere"], "no such file"),
    ],
)
def test_wrong_comparisons_are_refused(run, words, message):
    with pytest.raises(ConfigError, match=message):
        raise said(*(run if word == "RUN" else word for word in words)).exception


def test_several_kinds_are_asked_for_in_either_way():
    assert asked_documents(["chai,HTI1"]) == asked_documents(["hti1", "chai"]) == ("chai", "hti1")
    assert asked_documents(["all"]) == tuple(MEANS)


def test_a_run_without_its_page_is_damaged(run):
    (run / "report.html").unlink()
    with pytest.raises(StoreError, match=r"readable report\.json and report\.html"):
        raise said(run).exception


def test_bundle_gives_the_same_settings_and_the_same_bytes(run, tmp_path):
    manifest, report = RunManifest.read(run), Report.model_validate(sample_report())
    made = bundle(run, manifest, report)
    assert made == bundle(run, manifest, report)
    zipfile.ZipFile(io.BytesIO(made)).extractall(tmp_path / "again")
    again = load_config(tmp_path / "again" / "cohort.yaml", seed=manifest.config["seed"])
    assert config_sha256(again) == manifest.lineage.config_sha256
    listed = json.loads((tmp_path / "again" / "manifest.json").read_text())
    assert {path.name for path in (tmp_path / "again").iterdir()} == {*listed, "manifest.json"}


def test_bundle_refuses_changed_settings(run):
    content = json.loads((run / "manifest.json").read_text())
    content["config"]["title"] = "another"
    (run / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="settings must match their digest"):
        bundle(run, RunManifest.read(run), Report.model_validate(sample_report()))


def test_documents_hold_no_patient(finished, tmp_path):
    out = tmp_path / "made"
    assert said(finished.run, "--export", "all", "--out", out).exit_code == 0
    assert all(CANARY.encode() not in path.read_bytes() for path in out.iterdir())


def test_pdf_without_a_browser_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setattr(documents.shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="needs a Chromium or Chrome on PATH; none was found"):
        print_page(run / "report.html", tmp_path / "x.pdf")


def test_pdf_of_a_browser_that_fails_leaves_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(documents.shutil, "which", lambda name: shutil.__file__)
    with pytest.raises(StoreError, match="must print the page; it failed"):
        print_page(run / "report.html", tmp_path / "x.pdf")
    assert not (tmp_path / "x.pdf").exists()


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, documents.BROWSERS)), reason="needs Chromium")
@pytest.mark.parametrize(("words", "size"), [([], (595, 842)), (["--paper", "Letter"], (612, 792))])
def test_pdf_is_printed(words, size, run, tmp_path):
    out = tmp_path / "x.pdf"
    assert said(run, "--pdf", *words, "--out", out).exit_code == 0
    boxes = re.findall(rb"/MediaBox\s*\[([^\]]+)\]", out.read_bytes())
    assert {tuple(round(float(x)) for x in box.split()) for box in boxes} == {(0, 0, *size)}
