"""`mgvae cache`: what is listed, what may go, and what stays, on a store of made-up runs, here and on a URL."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import time
from datetime import timedelta

import pandas as pd
import pytest

from flows.runs.cleanup import collect, listing, remove
from flows.runs.records import recorded
from flows.runs.registry import note_run
from mgvae.errors import ConfigError, StoreError
from mgvae.store.artifact import Reference
from mgvae.store.open import open_store
from tests.flows.command_line import refused

DAY = 86400.0
NUMBERS = itertools.count()


class Runs:
    """A store, and run folders that refer to it."""

    def __init__(self, out, where):
        self.out = out
        self.where = where
        self.store = open_store(out, where)

    def artifact(self, stage, content, inputs=None, rows=3):
        def write(folder):
            pd.DataFrame({"a": [content] * rows}).to_parquet(folder / "rows.parquet")

        reference = self.store.save(stage, write, about={"inputs": inputs or {}})
        key = f"{stage}-{reference.sha256}"
        if self.store.local is self.store:
            self.store.write_note(f"records/{key}", {"metadata": {}, "result": json.dumps(reference.to_json())})
        else:
            self.store.write_note(f"records/{key}", reference.to_json())
        return reference

    def run(self, study, run_id, at, **contents):
        """Make a run whose artifacts have the given contents; return their references, the report's among them."""
        made = {stage: self.artifact(stage, content) for stage, content in contents.items()}
        digests = {stage: reference.sha256 for stage, reference in made.items()}
        folder = self.out / study / run_id
        folder.mkdir(parents=True)
        manifest = {"study": study, "run_id": run_id, "created_at": at, "status": "pass", "lineage": {"artifacts": digests}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        note_run(self.store, self.out, manifest)
        return made | {"report": self.artifact("report", f"{study} {run_id}", inputs=digests)}

    def age(self, days=2.0):
        """Let everything in the store have been used last so many days ago."""
        then = time.time() - days * DAY
        for store in {self.store, self.store.local}:
            if store.local is store:
                for folder in (store.root / "objects").glob("*/*"):
                    os.utime(folder, (then, then))
            else:
                for file in store.fs.store.values():
                    file.modified -= timedelta(days=days)
                    file.created -= timedelta(days=days)

    def held(self):
        return {(entry.kind, entry.sha256) for entry in self.store.entries()}


def pairs(*groups):
    return {(one.kind, one.sha256) for group in groups for one in group.values()}


@pytest.fixture(params=["here", "afar"])
def runs(request, tmp_path):
    """A study with three runs, the oldest first; another with one, which shares an artifact."""
    made = Runs(tmp_path / "runs", None if request.param == "here" else f"memory://cache-{next(NUMBERS)}")
    made.small = [
        made.run("small", "one", "2026-01-01T00:00:00+00:00", validate="v", evaluate="e1"),
        made.run("small", "two", "2026-01-02T00:00:00+00:00", validate="v", evaluate="e2"),
        made.run("small", "three", "2026-01-03T00:00:00+00:00", validate="v3", evaluate="e3"),
    ]
    made.other = made.run("other", "only", "2026-01-01T00:00:00+00:00", validate="v", evaluate="o")
    made.out.joinpath("small", "latest").symlink_to("three")
    made.stray = {"encode": made.artifact("encode", "of a run that did not end")}
    return made


def test_listing_tells_stage_size_rows_age_and_use(runs):
    rows = {row.entry.sha256: row for row in listing(runs.store, runs.out)[0]}
    shared = rows[runs.other["validate"].sha256]
    assert set(shared.runs) == {"small/one", "small/two", "other/only"}
    assert (shared.entry.kind, shared.rows) == ("validate", 3)
    assert shared.entry.size > 100
    assert rows[runs.small[1]["report"].sha256].runs == ("small/two",)
    assert rows[runs.stray["encode"].sha256].runs == ()


def test_gc_keeps_what_the_last_runs_of_every_study_use(runs):
    runs.age()
    freed = collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert runs.held() == pairs(runs.small[2], runs.other)
    assert {one.sha256 for one in freed.entries} == {
        runs.small[k][stage].sha256 for k in (0, 1) for stage in ("evaluate", "report")
    } | {runs.stray["encode"].sha256}
    assert freed.size > sum(one.size for one in freed.entries) - 1
    assert set(recorded(runs.store).values()) == {sha256 for _, sha256 in runs.held()}
    assert collect(runs.store, runs.out, keep_last=1, safe_hours=24).size == 0


def test_gc_keeps_as_many_as_asked_for(runs):
    runs.age()
    collect(runs.store, runs.out, keep_last=2, safe_hours=24)
    assert runs.held() == pairs(runs.small[1], runs.small[2], runs.other)


def test_what_was_used_lately_stays(runs):
    runs.age()
    runs.store.folder(runs.stray["encode"])  # a run in progress reads it
    runs.store.folder(runs.small[0]["evaluate"])
    collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert runs.held() == pairs(runs.small[2], runs.other, runs.stray, {"evaluate": runs.small[0]["evaluate"]})


def test_nothing_goes_while_all_is_young(runs):
    before = runs.held()
    freed = collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert (freed.entries, freed.leftovers, runs.held()) == ((), 0, before)


def test_what_a_run_takes_up_between_the_look_and_the_removal_stays(runs, monkeypatch):
    runs.age()
    entries = runs.store.entries()
    runs.store.folder(runs.stray["encode"])
    monkeypatch.setattr(runs.store, "entries", lambda: entries)
    freed = collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert runs.stray["encode"].sha256 not in {one.sha256 for one in freed.entries}
    assert runs.store.folder(runs.stray["encode"])


def test_a_run_that_ends_meanwhile_keeps_its_artifacts(runs, monkeypatch):
    runs.age()
    look = runs.store.entries

    def entries_then_a_run_ends():
        found = look()
        monkeypatch.setattr(runs.store, "entries", look)
        folder = runs.out / "small" / "four"
        folder.mkdir()
        lineage = {"artifacts": {"encode": runs.stray["encode"].sha256}}
        (folder / "manifest.json").write_text(json.dumps({"created_at": "2026-01-04", "lineage": lineage}))
        return found

    monkeypatch.setattr(runs.store, "entries", entries_then_a_run_ends)
    collect(runs.store, runs.out, keep_last=2, safe_hours=24)
    assert runs.store.folder(runs.stray["encode"])


def test_dry_runs_remove_nothing_and_tell_the_same(runs):
    runs.age()
    before = runs.held()
    told = collect(runs.store, runs.out, keep_last=1, safe_hours=24, dry=True)
    assert runs.held() == before
    assert collect(runs.store, runs.out, keep_last=1, safe_hours=24).entries == told.entries


def test_half_written_entries_go_and_damaged_ones_of_a_kept_run_stay(runs):
    sha256 = runs.small[2]["evaluate"].sha256
    half = "ab" * 32
    if runs.where is None:
        (runs.out / ".store" / "objects" / sha256[:2] / sha256 / "manifest.json").write_text("{")
        (runs.out / ".store" / "objects" / "ab" / half).mkdir(parents=True, exist_ok=True)
        (runs.out / ".store" / "objects" / "ab" / half / "rows.parquet").write_bytes(b"half")
    else:
        runs.store.fs.pipe_file(f"{runs.store.root}/objects/{sha256[:2]}/{sha256}/manifest.json", b"{")
        runs.store.fs.pipe_file(f"{runs.store.root}/objects/ab/{half}/rows.parquet", b"half")
    rows = {row.entry.sha256: row for row in listing(runs.store, runs.out)[0]}
    assert (rows[half].entry.kind, rows[half].rows) == ("", None)
    assert rows[sha256].runs == ("small/three",)
    runs.age()
    collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert ("", sha256) in runs.held()
    assert ("", half) not in runs.held()


def test_what_a_killed_writer_left_is_swept_up_by_age(runs):
    runs.age()
    left = runs.store.local.root / ".writing-1-elsewhere-abc"
    (left / "artifact").mkdir(parents=True)
    (left / "artifact" / "rows.parquet").write_bytes(b"p" * 1000)
    assert collect(runs.store, runs.out, keep_last=3, safe_hours=24).leftovers < 1000
    assert left.exists()
    then = time.time() - 2 * DAY
    for path in (left / "artifact" / "rows.parquet", left / "artifact", left):
        os.utime(path, (then, then))
    assert collect(runs.store, runs.out, keep_last=3, safe_hours=24).leftovers == 1000
    assert not left.exists()


def test_copies_of_what_lies_afar_are_cleaned_up_too(runs):
    runs.age()
    collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert {entry.sha256 for entry in runs.store.local.entries()} == {sha256 for _, sha256 in runs.held()}


def test_links_are_never_followed(runs, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    objects = runs.store.local.root / "objects"
    (objects / "ab").mkdir(exist_ok=True)
    (objects / "ab" / ("ab" * 32)).symlink_to(outside)
    if not (objects / "cd").exists():
        (objects / "cd").symlink_to(outside)
    (runs.store.local.root / ".writing-1-elsewhere-link").symlink_to(outside)
    runs.age()
    collect(runs.store, runs.out, keep_last=1, safe_hours=0)
    runs.store.local.discard(Reference("k", "ab" * 32))
    assert (outside / "precious").read_text() == "x"


def test_a_run_folder_that_cannot_be_read_is_told_and_counts_for_nothing(runs):
    (runs.out / "small" / "three" / "manifest.json").write_text("{")
    runs.age()
    freed = collect(runs.store, runs.out, keep_last=1, safe_hours=24)
    assert "small/three: its manifest is damaged" in " ".join(freed.kept)
    kept = runs.small[1] if runs.where is None else runs.small[2]  # a shared store was told of the run
    assert runs.held() == pairs(kept, runs.other)


def test_without_any_run_gc_refuses(runs, tmp_path):
    if runs.where is not None:
        for name in runs.store.notes("runs"):
            runs.store.remove_note(name)
    shutil.rmtree(runs.out / "small")
    shutil.rmtree(runs.out / "other")
    with pytest.raises(ConfigError, match="must find at least one run"):
        collect(runs.store, runs.out, keep_last=1, safe_hours=0)
    assert runs.held()


def test_other_machines_runs_count_on_a_shared_store(runs, tmp_path):
    if runs.where is None:
        pytest.skip("only this machine's runs use it")
    runs.age()
    elsewhere = Runs(tmp_path / "elsewhere", runs.where)
    collect(elsewhere.store, elsewhere.out, keep_last=3, safe_hours=24)
    assert runs.held() == pairs(*runs.small, runs.other)


def test_rm_by_key(runs):
    reference = runs.small[0]["evaluate"]
    told = remove(runs.store, runs.out, key=reference.sha256[:12], dry=True)
    assert reference.sha256 in {sha256 for _, sha256 in runs.held()}
    freed = remove(runs.store, runs.out, key=reference.sha256[:12])
    assert [one.sha256 for one in freed.entries] == [reference.sha256] == [one.sha256 for one in told.entries]
    assert freed.size == told.size > 0
    assert reference.sha256 not in {sha256 for _, sha256 in runs.held()}
    assert reference.sha256 not in recorded(runs.store).values()
    assert (runs.out / "small" / "one" / "manifest.json").exists()


def test_rm_of_a_study_leaves_what_others_use(runs):
    freed = remove(runs.store, runs.out, study="small")
    assert runs.held() == pairs(runs.other, runs.stray)
    assert freed.kept == ("1 artifacts that other studies use as well stay.",)


def test_rm_of_a_stage(runs):
    remove(runs.store, runs.out, stage="evaluate")
    assert not [kind for kind, _ in runs.held() if kind == "evaluate"]
    assert [kind for kind, _ in runs.held() if kind == "validate"]


def test_rm_of_a_stage_of_a_study(runs):
    remove(runs.store, runs.out, study="small", stage="evaluate")
    assert [sha256 for kind, sha256 in runs.held() if kind == "evaluate"] == [runs.other["evaluate"].sha256]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({}, "give either a KEY"),
        ({"key": "abcdef", "study": "small"}, "give either a KEY"),
        ({"key": "abc"}, "6 or more digits"),
        ({"key": "../../"}, "6 or more digits"),
        ({"key": "0" * 64}, "no artifact has it"),
        ({"study": "smal"}, "no run of such a study. Did you mean 'small'"),
        ({"stage": "evalute"}, "no artifact of such a stage. Did you mean 'evaluate'"),
    ],
    ids=str,
)
def test_rm_refuses(chosen, words, runs):
    before = runs.held()
    with pytest.raises(ConfigError, match=re.escape(words)):
        remove(runs.store, runs.out, **chosen)
    assert runs.held() == before


@pytest.fixture
def here(tmp_path):
    made = Runs(tmp_path / "runs", None)
    made.small = [made.run("small", name, name, validate="v", evaluate=name) for name in ("one", "two")]
    return made


def test_the_commands(here, mgvae):
    here.age(days=3)
    said = mgvae("cache", "ls", "--out", here.out)
    assert (said.code, said.err) == (0, "")
    assert here.small[0]["evaluate"].sha256[:12] in said.out
    assert "small/one, small/two" in said.out
    assert "3 days ago" in said.out
    assert f"5 artifacts, {sum(e.size for e in here.store.entries()) / 1000:.1f} kB, in {here.out / '.store'}." in said.out
    told = mgvae("cache", "gc", "--keep-last", 1, "--out", here.out, "--dry-run").out
    assert len(here.held()) == 5
    said = mgvae("cache", "gc", "--keep-last", 1, "--out", here.out)
    assert said.out == told.replace("Would free", "Freed")
    assert f"evaluate {here.small[0]['evaluate'].sha256[:12]}, " in said.out
    assert "bytes in" in said.out.splitlines()[-1]
    assert said.out.splitlines()[-1].endswith(": 2 artifacts.")
    said = mgvae("cache", "rm", here.small[1]["evaluate"].sha256[:10], "--out", here.out)
    assert said.out.splitlines()[-1].endswith(": 1 artifacts.")
    assert len(here.held()) == 2


def test_the_commands_on_a_url(mgvae, tmp_path):
    made = Runs(tmp_path / "runs", f"memory://commands-{next(NUMBERS)}")
    made.run("small", "one", "2026", validate="v")
    assert "2 artifacts, " in mgvae("cache", "ls", "--out", made.out, "--store", made.where).out
    assert "small/one" in mgvae("cache", "ls", "--out", made.out, "--store", made.where).out


def test_an_empty_store(mgvae, tmp_path):
    assert "0 artifacts, 0 B" in mgvae("cache", "ls", "--out", tmp_path / "none").out
    assert "Freed 0 bytes" in mgvae("cache", "gc", "--keep-last", 1, "--out", tmp_path / "none").out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rm",), ("give either a KEY",)),
        (("gc",), ("Missing option '--keep-last'",)),
        (("gc", "--keep-last", 0), ("Invalid value for '--keep-last'",)),
        (("ls", "--store", "s3://key:secret@bucket/x"), ("must be a plain URL", "in the environment")),
    ],
    ids=str,
)
def test_refusals_of_the_commands(arguments, words, mgvae, tmp_path):
    said = mgvae("cache", *arguments, "--out", tmp_path)
    refused(said, *words)
    assert "secret" not in said.err


def test_a_store_that_is_a_file(mgvae, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        open_store(tmp_path, str(tmp_path / "file")).write_note("a", 1)
    assert "0 artifacts" in mgvae("cache", "ls", "--out", tmp_path, "--store", tmp_path / "file").out
