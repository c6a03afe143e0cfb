"""Open the store of a folder of runs: beside them, elsewhere, or on a shared URL."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from mgvae.errors import ConfigError
from mgvae.store.local import Store
from mgvae.store.remote import RemoteStore

AnyStore: TypeAlias = Store | RemoteStore
BESIDE = ".store"
FETCHED = ".fetched"
SETTING = "MGVAE_STORE"


def open_store(out: Path, location: str | None = None) -> AnyStore:
    """Return the store of the runs below ``out``.

    What is fetched from a URL is kept in ``<out>/.fetched``.

    Args:
        out: folder of the runs.
        location: a folder or an fsspec URL such as ``s3://bucket/prefix``; left out, it is MGVAE_STORE in the environment, and
            where that is not set, ``<out>/.store``.
    Raises:
        ConfigError: no such store can be opened, or the URL holds credentials.
    """
    location = location or os.environ.get(SETTING)
    if not location:
        return Store(out / BESIDE)
    if "://" not in location and "::" not in location:
        return Store(Path(location).resolve())
    _refuse_secrets(location)
    fs, path = _file_system(location)
    if "file" in (fs.protocol if isinstance(fs.protocol, list | tuple) else (fs.protocol,)):
        return Store(Path(path).resolve())
    label = str(fs.unstrip_protocol(path))
    name = hashlib.sha256(label.encode()).hexdigest()[:12]
    return RemoteStore(fs, str(path), label=label, local=Store(out / FETCHED / name))


def is_beside(store: AnyStore, out: Path) -> bool:
    """Return whether a store is the default one of the runs below ``out``."""
    return isinstance(store, Store) and store.root.resolve() == (out / BESIDE).resolve()


def _refuse_secrets(location: str) -> None:
    parts = urlsplit(location)
    if parts.query or parts.fragment or "@" in parts.netloc or "::" in location:
        raise ConfigError(
            f"--store {parts.scheme}://...: must be a plain URL such as s3://bucket/prefix, without user, key, query or '::'. "
            "Give credentials in the environment, such as AWS_ACCESS_KEY_ID."
        )
    if not parts.netloc and parts.scheme not in ("file", "local", "memory"):
        raise ConfigError(f"--store {location}: must name a bucket, such as s3://bucket/prefix.")


def _file_system(location: str) -> tuple[Any, str]:
    import fsspec

    protocol = location.partition("://")[0]
    try:
        fs, path = fsspec.core.url_to_fs(location, use_listings_cache=False)
    except ImportError:
        raise ConfigError(
            f"--store {protocol}://...: needs a package that is not installed; install the fsspec file system for it: "
            "pip install 'mgvae-cohort[s3]' for s3, gcsfs for gs, adlfs for abfs."
        ) from None
    except ValueError:
        raise ConfigError(
            f"--store {protocol}://...: unknown protocol; give a folder or a URL such as s3://bucket/prefix."
        ) from None
    except Exception as error:  # whatever a protocol's package raises
        raise ConfigError(f"--store {protocol}://...: cannot be used ({type(error).__name__}). Check the address.") from None
    return fs, str(path)
