"""Which store a run uses, what may be named as one, and to which places parameters are confined."""

import sys

import pytest

from flows.allowed_paths import require_allowed
from mgvae.errors import ConfigError
from mgvae.store.local import Store
from mgvae.store.open import is_beside, open_store
from mgvae.store.remote import RemoteStore


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("MGVAE_STORE", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)


def test_beside_the_runs_unless_told_otherwise(tmp_path):
    store = open_store(tmp_path)
    assert isinstance(store, Store)
    assert store.root == tmp_path / ".store"
    assert is_beside(store, tmp_path)


@pytest.mark.parametrize("where", ["elsewhere", "file://{}/elsewhere", "{}/elsewhere"])
def test_a_folder(where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store(tmp_path / "runs", where.format(tmp_path))
    assert isinstance(store, Store)
    assert store.root == tmp_path / "elsewhere"
    assert not is_beside(store, tmp_path / "runs")


def test_a_url_with_a_folder_of_its_own_for_what_is_fetched(tmp_path):
    one, other = (open_store(tmp_path, f"memory://stores/{name}") for name in ("a", "b"))
    assert isinstance(one, RemoteStore)
    assert one.label.startswith("memory://")
    assert one.local.root.parent == tmp_path / ".fetched"
    assert one.local.root != other.local.root
    assert not is_beside(one, tmp_path)


def test_the_environment_names_the_store_and_the_option_goes_first(tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_STORE", str(tmp_path / "set"))
    assert open_store(tmp_path).root == tmp_path / "set"
    assert open_store(tmp_path, str(tmp_path / "given")).root == tmp_path / "given"


@pytest.mark.parametrize(
    "where",
    [
        "s3://key:hidden@bucket/x",
        "s3://hidden@bucket/x",
        "s3://bucket/x?X-Amz-Signature=hidden",
        "s3://bucket/x#hidden",
        "simplecache::s3://key:hidden@bucket/x",
        "simplecache::hidden",
    ],
)
def test_a_url_with_a_secret_is_refused_without_repeating_it(where, tmp_path):
    with pytest.raises(ConfigError, match="must be a plain URL such as s3://bucket/prefix") as caught:
        open_store(tmp_path, where)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "words"),
    [("s3://", "must name a bucket"), ("sthree://bucket/x", "unknown protocol"), ("gs://b/x", "gcsfs for gs")],
)
def test_a_url_that_cannot_be_one(where, words, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ConfigError, match=words):
        open_store(tmp_path, where)


def test_without_roots_every_place_passes():
    require_allowed("/etc", "out")


@pytest.mark.parametrize(
    "place", ["{}/in", "{}/in/deep/file.csv", "{}/in/*/x.csv", "file://{}/in/x", "s3://bucket/a", "s3://bucket/a/b"]
)
def test_what_lies_below_a_root_passes(place, tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_ROOTS", f"{tmp_path}/in:s3://bucket/a:{tmp_path}/more")
    require_allowed(place.format(tmp_path), "extract")


@pytest.mark.parametrize(
    "place",
    [
        "{}",
        "{}/into",
        "{}/in/../out",
        "{}/in/link/x",
        "/etc/passwd",
        "relative",
        "file://{}/in/../out",
        "file:///etc",
        "s3://bucket/ab",
        "s3://bucket/a/../b",
        "s3://bucket/a/%2e%2e/b",
        "s3://bucket",
        "s3://other/a",
        "gs://bucket/a",
        "simplecache::s3://bucket/a",
        "https://bucket/a",
    ],
)
def test_what_lies_elsewhere_is_refused(place, tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to("/")
    monkeypatch.setenv("MGVAE_ROOTS", f"{tmp_path}/in:s3://bucket/a")
    with pytest.raises(ConfigError, match="extract: must lie below one of the folders and URLs that MGVAE_ROOTS lists"):
        require_allowed(place.format(tmp_path), "extract")
