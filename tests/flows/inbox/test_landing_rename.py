"""What landed is the very copy that was validated: it gets its name in one step, and no part of it is ever seen under it."""

from __future__ import annotations

import pytest

from flows.inbox import landing
from flows.inbox.folder import landed
from flows.inbox.landing import land
from flows.runs import publish
from mgvae.config.study import load_config
from tests.flows.simulated_study import table, write_study
from validation.checks import ValidationResult


def inodes(path):
    """Return which file on the disk each name below a path is."""
    return {str(one.relative_to(path)): one.stat().st_ino for one in [path, *path.rglob("*")]}


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "study")


@pytest.mark.parametrize("parts", [False, True], ids=["file", "folder"])
def test_an_extract_gets_its_name_in_one_step(parts, study, tmp_path, monkeypatch):
    file, inbox, seen = tmp_path / "study" / "extract.csv", tmp_path / "inbox", []
    if parts:
        file = tmp_path / "parts"
        file.mkdir()
        for number in range(2):
            table().iloc[number::2].to_csv(file / f"{number}.csv", index=False)

    def validated(config):
        (staged,) = [one for one in (inbox / "small").rglob("extract*") if str(one) == config.extract]
        assert landed(inbox, "small") == []
        seen.append(inodes(staged))
        return ValidationResult(passed=True, expectations=1, failed=(), rows=600)

    monkeypatch.setattr(landing, "_validated", validated)
    found = land(file, cohort=study, inbox=inbox)
    assert found.new
    assert seen == [inodes(found.path)]
    assert len(seen[0]) == (3 if parts else 1)


def test_a_run_folder_gets_its_name_in_one_step(study, tmp_path, monkeypatch):
    report, seen = tmp_path / "report", {}
    report.mkdir()
    for name in ("report.json", "report.html"):
        (report / name).write_text("{}")
    digest_file = publish.digest_file

    def digested(path):
        assert not (tmp_path / "runs" / "small" / "one").exists()
        seen.update({".": path.parent.stat().st_ino, path.name: path.stat().st_ino})
        return digest_file(path)

    monkeypatch.setattr(publish, "digest_file", digested)
    facts = {"study": "small", "run_id": "one", "created_at": "2026-01-01", "status": "invalid", "lineage": {"artifacts": {}}}
    run = publish.publish(load_config(study), facts, {"report": report}, tmp_path / "runs")
    assert seen.keys() == {".", "report.json", "report.html"}
    assert seen.items() <= inodes(run).items()
