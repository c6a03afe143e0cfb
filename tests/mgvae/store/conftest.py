"""The store on three back ends: a folder, a file system in memory, and an S3 server on this machine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import fsspec
import pytest

from mgvae.store.local import Store
from mgvae.store.remote import RemoteStore
from tests.mgvae.store.store_tools import Place
from tests.s3_server import s3_server

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def served() -> Iterator[dict[str, str]]:
    """Yield the environment of a running S3 server."""
    with s3_server() as environment:
        yield environment


def remote(url, folder):
    fs, path = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return RemoteStore(fs, path, label=url, local=Store(folder))


def place(kind, tmp_path, request, monkeypatch):
    if kind == "local":
        return Place(str(tmp_path / "store"), lambda _: Store(tmp_path / "store"), fsspec.filesystem("file"))
    if kind == "s3":
        for name, value in request.getfixturevalue("served").items():
            monkeypatch.setenv(name, value)
    url = f"{'memory://' if kind == 'memory' else 's3://bucket/'}store-{next(NUMBERS)}"
    fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return Place(root, lambda number: remote(url, tmp_path / f"fetched-{number}"), fs)


@pytest.fixture(params=["local", "memory", "s3"])
def where(request, tmp_path, monkeypatch):
    """An empty place for a store."""
    return place(request.param, tmp_path, request, monkeypatch)


@pytest.fixture(params=["memory", "s3"])
def far(request, tmp_path, monkeypatch):
    """An empty place that is not this machine's own."""
    return place(request.param, tmp_path, request, monkeypatch)


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.slow)])
def shared(request, tmp_path, monkeypatch):
    """An empty place that processes share."""
    return place(request.param, tmp_path, request, monkeypatch)


@pytest.fixture
def store(where):
    return where.store()
