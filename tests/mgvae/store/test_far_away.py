"""What holds of a store on a URL besides: nothing is fetched twice, names from afar are not trusted, secrets stay."""

from __future__ import annotations

import json

import fsspec
import pytest

from mgvae.errors import DamagedArtifactError, StoreError
from mgvae.store.artifact import MANIFEST, Reference
from mgvae.store.local import Store
from mgvae.store.remote import RemoteStore, _when
from tests.mgvae.store.store_tools import ABOUT, FILES, contents, writer
from tests.s3_server import SECRET


@pytest.fixture
def saved(far):
    return far.store().save("model", writer(FILES), about=ABOUT)


def test_what_was_fetched_is_not_fetched_again(far, saved, monkeypatch):
    store = far.store(1)
    store.folder(saved)
    monkeypatch.setattr(store, "_fetch", None)
    assert contents(store.folder(saved)) == FILES


def test_a_damaged_copy_on_this_machine_is_fetched_anew(far, saved):
    store = far.store(1)
    (store.folder(saved) / "a.json").write_bytes(b"patienT")
    assert contents(store.folder(saved)) == FILES


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b"{}", b'{"sha256": 5, "files": {}}'])
def test_a_damaged_manifest_is_named(far, saved, manifest):
    far.write(saved, MANIFEST, manifest)
    for machine in (0, 1):
        with pytest.raises(DamagedArtifactError, match=r"Artifact model .* is damaged"):
            far.store(machine).folder(saved)


@pytest.mark.parametrize("name", ["../../../outside", "..", "a\\b", ".hidden"])
def test_a_name_from_afar_never_leads_out_of_the_folder_of_fetched_artifacts(far, saved, name, tmp_path, monkeypatch):
    store = far.store(1)
    listed = store._listed
    monkeypatch.setattr(store, "_listed", lambda base: listed(base) | {name: {"size": 1}})
    manifest = json.loads(far.fs.cat_file(far.path(saved, MANIFEST)))
    manifest["files"][name] = 1
    far.write(saved, MANIFEST, json.dumps(manifest).encode())
    with pytest.raises(DamagedArtifactError, match="is damaged"):
        store.folder(saved)
    assert not list(tmp_path.rglob("outside"))


def test_a_manifest_that_belongs_to_other_bytes_is_found_out(far, saved):
    other = far.store().save("model", writer({"a.json": b"else"}), about=ABOUT)
    for name in ("a.json", MANIFEST):
        far.write(saved, name, far.fs.cat_file(far.path(other, name)))
    with pytest.raises(DamagedArtifactError, match="is damaged"):
        far.store(1).folder(saved)


def test_a_bucket_that_is_not_there_is_not_made(served, monkeypatch, tmp_path):
    for name, value in served.items():
        monkeypatch.setenv(name, value)
    fs, root = fsspec.core.url_to_fs("s3://buckett/x", use_listings_cache=False)
    store = RemoteStore(fs, root, label="s3://buckett/x", local=Store(tmp_path / "fetched"))
    with pytest.raises(StoreError, match="s3://buckett/x must be writable; FileNotFoundError"):
        store.save("model", writer(FILES), about=ABOUT)
    assert not fs.exists("buckett")


def test_a_message_of_the_far_side_is_suppressed(far, saved, monkeypatch):
    store = far.store()

    def fail(*arguments, **options):
        raise PermissionError(f"the key {SECRET} is not known")

    for name in ("exists", "cat_file", "find", "put_file", "pipe_file", "rm_file"):
        monkeypatch.setattr(store.fs, name, fail, raising=False)
    for use in (
        lambda: store.folder(saved),
        lambda: store.save("k", writer(FILES), about=ABOUT),
        lambda: store.discard(saved),
        lambda: store.entries(),
        lambda: store.read_note("a"),
        lambda: store.write_note("a", 1),
    ):
        with pytest.raises(StoreError, match=r"; PermissionError\. Check the address, the credentials") as caught:
            use()
        assert SECRET not in str(caught.value)


def test_nothing_secret_is_written_down(served, monkeypatch, tmp_path):
    for name, value in served.items():
        monkeypatch.setenv(name, value)
    fs, root = fsspec.core.url_to_fs("s3://bucket/secrets", use_listings_cache=False)
    store = RemoteStore(fs, root, label="s3://bucket/secrets", local=Store(tmp_path / "fetched"))
    reference = store.save("model", writer(FILES), about=ABOUT)
    store.write_note("runs/a/b", {"at": "now"})
    for path in fs.find(root):
        assert SECRET.encode() not in fs.cat_file(path)
    assert not [path for path in (tmp_path / "fetched").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert isinstance(reference, Reference)


@pytest.mark.parametrize(
    ("info", "seconds"),
    [
        ({"mtime": 5.0}, 5.0),
        ({"created": 7}, 7.0),
        ({"updated": "1970-01-01T00:00:09+00:00"}, 9.0),
    ],
)
def test_times_as_file_systems_tell_them(info, seconds):
    assert _when(info) == seconds


def test_a_file_without_a_time_counts_as_new():
    assert _when({"updated": "soon"}) > 1.7e9
