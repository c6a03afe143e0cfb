"""The store: addressed by content, whole or not at all, damage is noticed and named, nobody else may read."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mgvae.errors import DamagedArtifactError, StoreError
from mgvae.store.artifact import MANIFEST, Reference, digest_file, digest_folder
from mgvae.store.local import Store
from tests.mgvae.store.store_tools import writer

ABOUT = {"stage": "test", "inputs": []}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def entries(store):
    """Return every path below the store, relative to it."""
    return sorted(str(path.relative_to(store.root)) for path in store.root.rglob("*"))


FILES = st.dictionaries(st.sampled_from(["a.json", "b.parquet", "deep/c.bin", "d"]), st.binary(max_size=50), min_size=1)


@given(FILES, FILES)
@settings(max_examples=40, deadline=None)
def test_the_address_is_the_content(tmp_path_factory, one, other):
    store = Store(tmp_path_factory.mktemp("store"))
    first, second = (store.save("kind", writer(files), about=ABOUT) for files in (one, other))
    assert (first == second) == (one == other)
    for reference, files in ((first, one), (second, other)):
        folder = store.folder(reference)
        kept = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        manifest = json.loads(kept.pop(MANIFEST))
        assert kept == files
        assert manifest["sha256"] == reference.sha256 == digest_folder(folder)


def test_names_and_bytes_do_not_run_into_each_other(store):
    references = {
        store.save("k", writer(files), about=ABOUT).sha256 for files in ({"ab": b"c"}, {"a": b"bc"}, {"a": b"b", "c": b""})
    }
    assert len(references) == 3


def test_the_manifest_says_what_it_is_and_is_no_part_of_the_address(store):
    first = store.save("model", writer({"a": b"1"}), about={"stage": "one"})
    again = store.save("model", writer({"a": b"1"}), about={"stage": "two"})
    assert first == again
    manifest = json.loads((store.folder(first) / MANIFEST).read_text())
    assert (manifest["kind"], manifest["stage"]) == ("model", "one")  # written once
    assert manifest["created_at"].endswith("+00:00")


@pytest.mark.parametrize("change", ["flip", "truncate", "delete", "add"])
def test_damage_is_noticed_and_named(store, change):
    reference = store.save("synthetic", writer({"a": b"patient", "b": b"2"}), about=ABOUT)
    folder = store.folder(reference)
    file = folder / "a"
    if change == "delete":
        file.unlink()
    elif change == "add":
        (folder / "c").write_bytes(b"")
    else:
        file.write_bytes(b"patienT" if change == "flip" else b"pat")
    with pytest.raises(DamagedArtifactError, match=rf"Artifact synthetic {reference.sha256[:12]} is damaged"):
        store.folder(reference)


def test_saving_again_puts_a_damaged_artifact_right(store):
    reference = store.save("k", writer({"a": b"1"}), about=ABOUT)
    (store.folder(reference) / "a").write_bytes(b"2")
    assert store.save("k", writer({"a": b"1"}), about=ABOUT) == reference
    assert (store.folder(reference) / "a").read_bytes() == b"1"


class UnluckyError(Exception):
    pass


@pytest.mark.parametrize("error", [UnluckyError, OSError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing(store, error):
    kept = store.save("k", writer({"a": b"1"}), about=ABOUT)
    before = entries(store)

    def write(folder):
        (folder / "half").write_bytes(b"1")
        raise error

    with pytest.raises(StoreError if error is OSError else error):
        store.save("k", write, about=ABOUT)
    assert entries(store) == before
    assert store.folder(kept)


def test_no_space_is_a_store_error_that_says_so(store):
    def write(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="must be writable with space left; No space left on device"):
        store.save("k", write, about=ABOUT)


def test_a_root_that_is_a_file(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        Store(tmp_path / "store").save("k", writer({"a": b""}), about=ABOUT)


def test_only_the_owner_may_read(store):
    old = os.umask(0)
    try:
        reference = store.save("k", writer({"a": b"1", "deep/b": b"2"}), about=ABOUT)
    finally:
        os.umask(old)
    folder = store.folder(reference)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    for place in (store.root, folder):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_racing_writers_of_the_same_content_all_succeed(store):
    gate, got, errors = threading.Barrier(8), [], []

    def run():
        def write(folder):
            (folder / "a").write_bytes(b"x" * 100_000)
            gate.wait()

        try:
            got.append(store.save("k", write, about=ABOUT))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set(got)) == 1
    assert store.folder(got[0])
    assert not [name for name in entries(store) if ".writing-" in name]


def test_absent_artifacts_are_named(store):
    with pytest.raises(StoreError, match="Artifact model 000000000000 is not in the store"):
        store.folder(Reference("model", "0" * 64))


def test_discard(store):
    reference = store.save("k", writer({"a": b"1"}), about=ABOUT)
    store.discard(reference)
    store.discard(reference)
    with pytest.raises(StoreError, match="is not in the store"):
        store.folder(reference)


@pytest.mark.parametrize("digest", ["", "../" * 20, "Z" * 64, "ab"])
def test_a_reference_that_is_no_digest_never_leaves_the_store(store, digest):
    for use in (store.folder, store.discard):
        with pytest.raises(StoreError, match="sha256 in lower-case hexadecimal digits"):
            use(Reference("k", digest))


def test_digest_of_a_file_longer_than_a_piece(tmp_path):
    content = os.urandom(3 * (1 << 20) + 7)
    (tmp_path / "a").write_bytes(content)
    assert digest_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_reference_as_json():
    assert Reference("k", "ab").to_json() == {"kind": "k", "sha256": "ab"}
