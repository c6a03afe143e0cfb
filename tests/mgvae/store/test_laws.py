"""What holds of a store wherever it lies: addressed by content, whole or not at all, damage named and put right."""

from __future__ import annotations

import json
import os
import stat
import time

import pytest

from mgvae.errors import DamagedArtifactError, MissingArtifactError, StoreError
from mgvae.store.artifact import MANIFEST, Reference, digest_folder
from tests.mgvae.store.store_tools import ABOUT, FILES, contents, writer


def test_what_was_saved_is_read(where):
    reference = where.store().save("model", writer(FILES), about=ABOUT)
    for machine in (0, 1):
        folder = where.store(machine).folder(reference)
        assert contents(folder) == FILES
        assert digest_folder(folder) == reference.sha256
        assert json.loads((folder / MANIFEST).read_text())["stage"] == "test"


def test_the_address_is_the_content(store):
    first, same, other = (store.save("k", writer({"a": content}), about=ABOUT) for content in (b"1", b"1", b"2"))
    assert first == same != other


def test_saving_again_changes_nothing_that_is_read(where):
    reference = where.store().save("k", writer(FILES), about=ABOUT)
    assert where.store(1).save("k", writer(FILES), about=ABOUT) == reference
    assert contents(where.store(2).folder(reference)) == FILES
    assert len(where.store().entries()) == 1


def test_the_clock_travels_and_is_no_part_of_the_address(where):
    one, other = (where.store(k).save("k", writer({"a": b"", "clock.json": b"1" * (k + 1)}), about=ABOUT) for k in (0, 1))
    assert one == other
    assert (where.store(2).folder(one) / "clock.json").exists()


def test_an_absent_artifact_is_named(store):
    with pytest.raises(MissingArtifactError, match="Artifact model 000000000000 is not in the store"):
        store.folder(Reference("model", "0" * 64))


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "add", "delete deep"])
def test_damage_is_named_and_made_good(where, damage):
    reference = where.store().save("synthetic", writer(FILES), about=ABOUT)
    if damage.startswith("delete"):
        where.remove(reference, "deep/b.bin" if damage == "delete deep" else "a.json")
    elif damage == "add":
        where.write(reference, "c", b"")
    else:
        where.write(reference, "a.json", b"patienT" if damage == "flip" else b"pat")
    with pytest.raises(DamagedArtifactError, match=rf"Artifact synthetic {reference.sha256[:12]} is damaged"):
        where.store(1).folder(reference)
    where.store(1).discard_damaged(reference)
    with pytest.raises(MissingArtifactError, match="is not in the store"):
        where.store(1).folder(reference)
    if damage == "add" and where.fs.exists(where.path(reference, "c")):
        where.remove(reference, "c")  # on a shared store only cleaning up removes a stranger's file
    assert where.store(1).save("synthetic", writer(FILES), about=ABOUT) == reference
    assert contents(where.store(2).folder(reference)) == FILES


def test_saving_puts_a_damaged_artifact_right(where):
    reference = where.store().save("k", writer(FILES), about=ABOUT)
    where.write(reference, "a.json", b"patienT")
    where.store().save("k", writer(FILES), about=ABOUT)
    assert contents(where.store(1).folder(reference)) == FILES


def test_a_sound_artifact_is_not_discarded_as_damaged_where_this_machine_can_see_that(tmp_path, where):
    if not str(where.root).startswith(str(tmp_path)):
        pytest.skip("a shared store would have to be read whole for that")
    reference = where.store().save("k", writer(FILES), about=ABOUT)
    where.store().discard_damaged(reference)
    assert where.store().folder(reference)


def test_discard(where):
    reference = where.store().save("k", writer(FILES), about=ABOUT)
    for _ in range(2):
        where.store().discard(reference)
        with pytest.raises(MissingArtifactError, match="is not in the store"):
            where.store().folder(reference)
    assert where.names() == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("x")], ids=repr)
def test_a_writer_that_fails_leaves_nothing(where, error):
    def write(folder):
        (folder / "half").write_bytes(b"a patient")
        raise error

    with pytest.raises(StoreError if isinstance(error, OSError) else type(error)):
        where.store().save("k", write, about=ABOUT)
    assert where.names() == []
    assert [path for path in where.store().local.root.rglob("*") if path.is_file()] == []


def test_entries_tell_what_lies_there(where):
    store = where.store()
    assert store.entries() == []
    reference = store.save("model", writer(FILES), about=ABOUT)
    (entry,) = store.entries()
    assert entry.reference == reference
    assert entry.files == ("a.json", "deep/b.bin")
    assert entry.inputs == {"split": "a" * 64}
    assert entry.size > sum(map(len, FILES.values()))
    assert abs(entry.used_at - time.time()) < 60
    assert store.last_used(reference) == pytest.approx(entry.used_at, abs=1)
    with store.open(reference, "deep/b.bin") as file:
        assert file.read() == b"22"


@pytest.mark.parametrize("manifest", [None, b"", b"{", b"[]", b'{"sha256": "else"}', b"\xff"])
def test_a_half_written_or_damaged_entry_is_listed_without_a_kind(where, manifest):
    half = Reference("", "ab" * 32)
    where.write(half, "a.json", b"half")
    if manifest is not None:
        where.write(half, MANIFEST, manifest)
    (entry,) = where.store().entries()
    assert (entry.kind, entry.sha256, entry.inputs) == ("", half.sha256, {})
    assert entry.size >= 4
    where.store().discard(entry.reference)
    assert where.store().entries() == []


def test_names_that_are_no_artifacts_are_passed_over(where):
    where.fs.makedirs(f"{where.root}/objects/ab", exist_ok=True)
    for name in ("objects/ab/README", "objects/cd", "other"):
        where.fs.pipe_file(f"{where.root}/{name}", b"")
    assert where.store().entries() == []


def test_use_is_remembered(where, monkeypatch):
    monkeypatch.setattr("mgvae.store.remote.REMEMBERED", 0.0)
    reference = where.store().save("k", writer(FILES), about=ABOUT)
    if hasattr(where.store(), "fs"):
        time.sleep(0.01 if where.root.startswith("/") else 1.1)  # S3 tells whole seconds
    else:
        os.utime(where.path(reference, ""), (1, 1))
    before = where.store().last_used(reference)
    where.store().folder(reference)
    assert where.store().last_used(reference) > before
    assert where.store().last_used(Reference("k", "0" * 64)) == 0


def test_notes(where):
    store = where.store()
    assert store.read_note("records/a-1") is None
    assert store.notes("records") == []
    store.write_note("records/a-1", {"sha256": "x"})
    store.write_note("records/a-1", {"sha256": "y"})
    store.write_note("runs/s/r1", [1])
    assert where.store(1).read_note("records/a-1") == {"sha256": "y"}
    assert where.store(1).notes("records") == ["records/a-1"]
    assert where.store(1).notes("runs") == ["runs/s/r1"]
    where.fs.pipe_file(f"{where.root}/records/a-1", b"{")
    assert store.read_note("records/a-1") is None
    for _ in range(2):
        store.remove_note("records/a-1")
    assert store.notes("records") == []
    assert store.entries() == []


@pytest.mark.parametrize("digest", ["", "../" * 20, "Z" * 64, "ab", "ab" * 32 + "\n", "/" + "a" * 63])
def test_a_reference_that_is_no_digest_never_leaves_the_store(store, digest):
    for use in (store.folder, store.discard, store.discard_damaged, store.last_used):
        with pytest.raises(StoreError, match="sha256 in lower-case hexadecimal digits"):
            use(Reference("k", digest))


@pytest.mark.parametrize("name", ["", "..", "a/../../b", "/etc/passwd", "a//b", ".hidden", "a\\b", "a\n"])
def test_a_name_never_leaves_the_store(store, name):
    reference = store.save("k", writer(FILES), about=ABOUT)
    for use in (store.read_note, store.remove_note, store.notes, lambda name: store.write_note(name, 1)):
        with pytest.raises(StoreError, match=r"may not begin with '\.'"):
            use(name)
    with pytest.raises(StoreError, match=r"may not begin with '\.'"), store.open(reference, name):
        pass


def test_only_the_owner_may_read_what_lies_on_this_machine(where):
    old = os.umask(0)
    try:
        reference = where.store().save("k", writer(FILES), about=ABOUT)
        where.store().write_note("records/a", 1)
        folders = [where.store(machine).folder(reference) for machine in (0, 1)]
    finally:
        os.umask(old)
    for folder, machine in zip(folders, (0, 1), strict=True):
        root = where.store(machine).local.root
        assert {stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*") if path.is_file()} == {0o600}
        deep = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        assert {stat.S_IMODE(path.stat().st_mode) for path in [root, *deep]} == {0o700}
