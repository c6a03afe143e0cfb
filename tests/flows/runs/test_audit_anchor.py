"""The audit log's last lines are anchored: in manifests, in Prefect, and for an auditor who has the folder alone."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.runs.audit_anchor import head_of, mismatch, verify
from flows.runs.folder import AuditHead, set_link
from flows.study.prefect_pages import compare_head, show_head
from mgvae.errors import ConfigError
from tests.flows.champion_tools import considered


@pytest.fixture
def anchored(nights):
    """A study of three decisions, whose last run's manifest holds the head before its own line."""
    considered(nights, "alike")
    head = head_of(nights.study)
    path = nights.study / "worse" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"audit": head.model_dump()}))
    considered(nights, "worse")
    return nights


def rewritten(study, change):
    """Rewrite the log's lines as a forger does, with hashes that follow one another."""
    path, last, lines = study / "audit.jsonl", None, []
    for line in change([json.loads(text) for text in path.read_text().splitlines()]):
        lines.append(json.dumps({**line, "previous_sha256": last}))
        last = hashlib.sha256(lines[-1].encode()).hexdigest()
    path.write_text("".join(f"{line}\n" for line in lines))


def other_reason(at):
    return lambda lines: [{**line, "reason": "It was always so."} if n == at else line for n, line in enumerate(lines)]


def test_the_head_counts_the_lines_and_hashes_the_last(anchored):
    lines = (anchored.study / "audit.jsonl").read_bytes().splitlines()
    assert head_of(anchored.study) == AuditHead(lines=3, sha256=hashlib.sha256(lines[2]).hexdigest())
    assert head_of(anchored.study, before="worse") == AuditHead(lines=2, sha256=hashlib.sha256(lines[1]).hexdigest())
    assert head_of(anchored.study, before="one") == head_of(anchored.out) == AuditHead(lines=0, sha256=None)
    assert AuditHead.parsed(head_of(anchored.study).text) == head_of(anchored.study)


@pytest.mark.parametrize("text", ["", "3", "3:", "x:" + "a" * 64, "3:" + "a" * 63, "-1:-", "9" * 12 + ":-"])
def test_what_is_no_head_is_refused(text):
    with pytest.raises(ConfigError, match="LINES:SHA256"):
        AuditHead.parsed(text)


def test_an_untouched_folder_is_verified_without_its_store(anchored, tmp_path, mgvae):
    copy = shutil.copytree(anchored.study, tmp_path / "copy", symlinks=True)
    found = verify(copy)
    assert (found.head.lines, found.manifests, found.anchored, found.problems) == (3, 1, 2, ())
    said = mgvae("audit", "verify", copy, "--head", found.head.text)
    assert (said.code, said.err) == (0, "")
    assert f"Head: {found.head.text}." in said.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (other_reason(1), "line 2 must be the one that"),
        (other_reason(0), "line 2 must be the one that"),
        (lambda lines: lines[:1], "must have the 2 lines that"),
        (lambda lines: [], "must have the 2 lines that"),
    ],
    ids=["last of them forged", "first forged", "end cut off", "emptied"],
)
def test_a_forged_or_cut_end_disagrees_with_the_manifest(change, words, anchored, mgvae):
    rewritten(anchored.study, change)
    if len(anchored.lines()) == 1:
        set_link(anchored.study / "champion", "one")  # as the log now says
    for command in (("audit", "verify", anchored.study), ("champion", "show", "small", "--out", anchored.out)):
        said = mgvae(*command)
        assert said.code == 1
        assert words in said.err


def test_the_very_last_line_is_held_by_prefect_and_by_whoever_noted_it(anchored, database, mgvae):
    assert mismatch(anchored.study, head_of(anchored.study), holder="x") is None
    noted = head_of(anchored.study).text
    flow(show_head)(anchored.study)  # within a run, as at the end of a night
    said = mgvae("champion", "show", "small", "--out", anchored.out)
    assert (said.code, said.err) == (0, "")
    assert "Compared with Prefect: the head of line 3." in said.out
    rewritten(anchored.study, other_reason(2))
    assert verify(anchored.study).problems == ()  # by the folder alone nobody can tell
    assert "line 3" in str(compare_head(anchored.study)[1])
    for command in (("champion", "show", "small", "--out", anchored.out), ("audit", "verify", anchored.study, "--head", noted)):
        said = mgvae(*command)
        assert said.code == 1
        assert "line 3 must be the one that" in said.err


def test_what_a_person_decides_is_held_by_prefect_at_once(anchored, database, mgvae):
    for command, line in ((("promote", anchored.study / "worse"), 4), (("rollback", "small", "--out", anchored.out), 5)):
        said = mgvae("champion", *command, "--reason", "trial")
        assert (said.code, said.err) == (0, "")
        assert said.out.splitlines()[-1] == f"Prefect holds the audit log's head of line {line}."
        assert compare_head(anchored.study) == (f"Compared with Prefect: the head of line {line}.", None)


@pytest.mark.parametrize(
    ("url", "words"), [(None, "no server is configured."), ("http://127.0.0.1:9/api", "did not take it.")], ids=["none", "away"]
)
def test_a_person_decides_without_a_server_too(url, words, anchored, mgvae, monkeypatch):
    with temporary_settings({PREFECT_API_URL: url}):
        said = mgvae("champion", "promote", anchored.study / "worse", "--reason", "trial")
    assert (said.code, said.err) == (0, "")
    assert words in said.out.splitlines()[-1]
    assert anchored.champion == "worse"


@pytest.mark.parametrize("name", ["manifest.json", "report.json"])
def test_a_changed_file_of_a_considered_run_is_found(name, anchored):
    path = anchored.study / "one" / name
    path.write_text(path.read_text() + "\n")
    assert [str(path) in problem for problem in verify(anchored.study).problems] == [True]


def test_a_folder_without_a_log_is_refused(tmp_path, mgvae):
    said = mgvae("audit", "verify", tmp_path)
    assert said.code == 1
    assert "must be the folder of a study's runs with its audit.jsonl" in said.err
