"""`mgvae champion`: what is shown, what is checked, what a misspelt command hears; what serves is never cleaned up."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time

import pytest

from flows.runs.champion import consider, promote, rollback
from flows.runs.cleanup import collect
from flows.runs.folder import finished_run
from flows.runs.registry import known_runs, newest
from mgvae.store.open import open_store
from tests.flows.champion_tools import Nights
from tests.flows.command_line import refused
from tests.flows.flow_tools import run_study

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study with three nights: two champions, one after the other, and a worse run."""
    nights = Nights(tmp_path_factory.mktemp("nights") / "runs")
    for run_id, options in {"one": {}, "two": {"n": 1530}, "three": {"n": 1560, "spoilt": True}}.items():
        nights.consider(nights.night(run_id, **options))
    return nights


@pytest.fixture
def nights(made, tmp_path):
    """A copy of that study, to be changed."""
    shutil.copytree(made.out, tmp_path / "runs", symlinks=True)
    return Nights(tmp_path / "runs")


def lines(said):
    return said.out.splitlines()


def test_show_tells_who_since_when_and_why(made, mgvae):
    said = mgvae("champion", "show", "small", "--out", made.out)
    assert (said.code, said.err) == (0, "")
    assert lines(said)[0].startswith("Champion of small: run two, since 20")
    assert "Neither better nor worse than the champion on" in lines(said)[1]
    assert lines(said)[2] == f"Predictions: {made.study / 'champion' / 'predictions.parquet'}"
    assert lines(said)[3] == "Before: one; mgvae champion rollback returns to it."
    assert lines(said)[4].startswith(
        "Judges: the patients of the last comparison have judged 2 times (median), at most 2, hold-out 0."
    )
    assert lines(said)[5].startswith("Checked: 3 lines of the audit log")
    assert mgvae("champion", "show", made.study).out == said.out


def test_show_log_has_every_change(made, mgvae):
    said = mgvae("champion", "show", "small", "--out", made.out, "--log")
    told = [line for line in lines(said) if "  Run " in line]
    assert [line.split("  Run ")[1].split(".")[0] for line in told] == [
        "one became champion",
        "two became champion, after one",
        "three did not become champion",
    ]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("link", "points at one, and the audit log says two"),
        ("no link", "points at nothing, and the audit log says two"),
        ("predictions", "one is missing or damaged"),
        ("manifest", "manifest.json: must be the file that became champion; it was changed since"),
        ("model", "Without it, no new run can be compared"),
        ("log", "line 2 must follow the line before it"),
        ("half", "the last line is half written"),
        ("lost", "must tell how two became champion; it is lost"),
    ],
)
def test_show_ends_with_1_and_says_what_is_damaged(damage, said, nights, mgvae):
    link, log, run = nights.study / "champion", nights.study / "audit.jsonl", nights.study / "two"
    if damage in ("link", "no link"):
        link.unlink()
    if damage == "link":
        link.symlink_to("one")
    if damage == "predictions":
        (run / "predictions.parquet").unlink()
    if damage == "manifest":
        manifest = json.loads((run / "manifest.json").read_text())
        (run / "manifest.json").write_text(json.dumps(manifest | {"status": "warn"}))
    if damage == "model":
        digest = json.loads((run / "manifest.json").read_text())["lineage"]["artifacts"]["model"]
        shutil.rmtree(nights.out / ".store" / "objects" / digest[:2] / digest)
    if damage == "log":
        log.write_bytes(log.read_bytes().replace(b"first run", b"best  run"))
    if damage == "half":
        log.write_bytes(log.read_bytes() + b"{")
    if damage == "lost":
        log.unlink()
    told = mgvae("champion", "show", "small", "--out", nights.out)
    assert told.code == 1
    assert told.err.startswith("Error: The champion is not what its audit log says:")
    assert said in told.err
    assert "Traceback" not in told.err


def test_promote_and_rollback(nights, mgvae, monkeypatch):
    monkeypatch.setenv("MGVAE_USER", "a.person")
    said = mgvae("champion", "promote", nights.study / "latest", "--reason", "looked at it")
    assert (said.code, nights.champion) == (0, "three")
    assert "Run three became champion, after two. a.person: looked at it\n" in said.out
    said = mgvae("champion", "rollback", "small", "--out", nights.out, "--reason", "it was worse")
    assert (said.code, nights.champion) == (0, "two")
    assert "Run two came back, after three. a.person: it was worse" in said.out
    assert mgvae("champion", "rollback", nights.study, "--reason", "x").code == 0
    refused(mgvae("champion", "rollback", nights.study, "--reason", "x"), "only one has been one", "show --log")


def test_typed_with_nothing_it_prints_the_help(mgvae):
    said = mgvae("champion")
    assert said.code == 1
    for word in ("show", "promote", "rollback", "who it is and why"):
        assert word in " ".join(said.out.split())
    assert said.err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show",), ("Missing argument 'STUDY'", "Try 'mgvae champion show --help'.")),
        (("show", "smal"), ("must be a study below", "Did you mean 'small'?", "Studies there: small.")),
        (("promote",), ("Missing argument 'RUN'",)),
        (("promote", "x"), ("Missing option '--reason'",)),
        (("promote", "x", "--reason", "y"), ("manifest.json: no such file",)),
        (("rollback", "small"), ("Missing option '--reason'",)),
        (("demote",), ("No such command 'demote'", "Did you mean 'promote'?")),
    ],
    ids=" ".join,
)
def test_wrong_commands(arguments, words, made, mgvae, monkeypatch):
    monkeypatch.chdir(made.out.parent)
    refused(mgvae("champion", *arguments), *words)


def test_a_run_folder_is_not_a_study_and_a_study_may_have_none(made, mgvae, tmp_path):
    refused(mgvae("champion", "show", made.study / "latest"), "is a run folder", str(made.study))
    (tmp_path / "new").mkdir()
    said = mgvae("champion", "show", tmp_path / "new")
    assert (said.code, said.out) == (
        0,
        "new has no champion: no run has been considered yet. See mgvae champion promote --help.\n",
    )


def test_only_below_the_configured_roots(made, mgvae, monkeypatch, tmp_path):
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path))
    for arguments in (("show", "small", "--out", made.out), ("promote", made.study / "one", "--reason", "x")):
        refused(mgvae("champion", *arguments), "must lie below one of the folders")


@pytest.fixture(params=["here", "afar"])
def old(request, made, tmp_path):
    """The study, on a store beside it or on a URL, followed by a run that is the last; nothing was used for two days."""
    where = None if request.param == "here" else f"memory://champion-{next(NUMBERS)}"
    nights = Nights(tmp_path / "runs", where)
    for run_id, n in {"one": 1500, "two": 1530, "three": 1560}.items():
        promote(nights.night(run_id, n=n).folder, reason="x", store=where)
    nights.consider(nights.night("four", n=1590, spoilt=True))
    _age(nights)
    return nights


def _age(nights):
    then = time.time() - 2 * 86400
    for folder in nights.store.local.root.glob("objects/*/*"):
        os.utime(folder, (then, then))
    for file in getattr(getattr(nights.store, "fs", None), "store", {}).values():
        file.modified = file.created = file.modified.replace(year=2020)


def held(nights):
    """Return the runs whose model is in the store."""
    there = {entry.sha256 for entry in nights.store.entries()}
    runs = [path for path in nights.study.iterdir() if path.is_dir() and not path.is_symlink()]
    models = {run.name: json.loads((run / "manifest.json").read_text())["lineage"]["artifacts"]["model"] for run in runs}
    return {name for name, model in models.items() if model in there}


def test_gc_keeps_the_last_run_the_champion_and_the_one_before(old):
    collect(old.store, old.out, keep_last=1, safe_hours=24)
    assert held(old) == {"two", "three", "four"}
    rollback(old.study, reason="x", store=old.where)
    assert old.champion == "two"


def test_gc_elsewhere_on_a_shared_store_keeps_them_too(old, tmp_path):
    runs, _ = known_runs(old.store, tmp_path / "other")
    if old.where is None:  # another folder's runs tell nothing of this store, which is not theirs
        return
    assert {run.run_id for run in newest(runs, 1) if run.serves} == {"two", "three"}
    collect(open_store(tmp_path / "other", old.where), tmp_path / "other", keep_last=1, safe_hours=24)
    assert {"two", "three"} <= held(old)


def test_where_the_log_is_damaged_gc_removes_nothing_of_the_study(old):
    (old.study / "audit.jsonl").write_text("[]\n")
    collect(old.store, old.out, keep_last=1, safe_hours=24)
    assert held(old) >= ({"one", "two", "three", "four"} if old.where is None else {"two", "three", "four"})


def test_links_are_no_runs_of_their_own(made):
    runs, unreadable = known_runs(made.store, made.out)
    assert sorted(run.run_id for run in runs) == ["one", "three", "two"]
    assert unreadable == []
    assert [run.run_id for run in runs if run.latest] == ["three"]


def test_a_real_run_and_the_next_night_s(finished, mgvae, tmp_path):
    out = finished.copied(tmp_path)
    run = out / "small" / finished.run.name
    found = finished_run(run, needed=("split", "model"))
    store = open_store(out)
    decision = consider(found.config, store, out, run, found.folders)
    assert (decision.action, decision.champion) == ("promoted", run.name)
    _, report = run_study(finished.cohort, out, "title=Another title")
    other = out / "small" / report["run_id"]
    again = finished_run(other, needed=("split", "model"))
    assert "champion's own model" in consider(again.config, store, out, other, again.folders).reason
    said = mgvae("champion", "show", "small", "--out", out)
    assert said.code == 0
    assert f"run {report['run_id']}" in said.out
