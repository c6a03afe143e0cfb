"""What is listed of a store, what may be removed and what stays, on made-up runs, here and on a URL."""

from __future__ import annotations

import json
import os
import re
import shutil
import time

import pytest

from flows.runs.cleanup import collect, listing, remove
from flows.runs.records import all_records
from mgvae.errors import ConfigError
from mgvae.store.artifact import Reference
from tests.flows.stored_runs import DAY, NUMBERS, Runs


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
    assert set(all_records(runs.store).values()) == {sha256 for _, sha256 in runs.held()}
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
        (folder / "manifest.json").write_text(json.dumps({"created_at": "2026-01-04", "status": "pass", "lineage": lineage}))
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
    assert reference.sha256 not in all_records(runs.store).values()
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
