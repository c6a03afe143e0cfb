"""Content-addressed artifacts on a URL such as ``s3://bucket/prefix``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from mgvae.errors import DamagedArtifactError, MGVAEError, MissingArtifactError, StoreError
from mgvae.files import scratch_folder
from mgvae.store.artifact import (
    CLOCK,
    MANIFEST,
    PLAIN,
    Entry,
    Reference,
    address,
    damaged,
    digest_folder,
    entry_of,
    is_digest,
    missing,
    payload,
    plain,
)
from mgvae.store.local import Store

FLAT = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}  # folders there need not be made
REMEMBERED = 3600.0  # seconds until another use of an artifact is noted anew


class RemoteStore:
    """Artifacts below ``<root>/objects/<2 hex>/<sha256>/`` of a remote file system.

    An artifact exists once its manifest does, which is written last and names the payload files with their sizes. So a reader
    never sees half an upload, and racing writers put the same bytes under the same names. Stages read from a local store, to
    which artifacts are fetched and where their digests are checked. Credentials are those of the environment.

    Args:
        fs: the fsspec file system, without a cache of listings.
        root: the path there.
        label: the URL for messages; it holds no credentials.
        local: the store of fetched artifacts.
    """

    def __init__(self, fs: Any, root: str, *, label: str, local: Store) -> None:
        self.fs = fs
        self.root = root.rstrip("/")
        self.label = label
        self.local = local

    def save(self, kind: str, write: Callable[[Path], None], *, about: Mapping[str, Any]) -> Reference:
        """Return the reference of a new artifact; see `Store.save`.

        Raises:
            StoreError: the store or the local one cannot be written.
        """
        reference = self.local.save(kind, write, about=about)
        folder = self.local.folder(reference)
        base = self._base(reference)
        with self._reached("writable"):
            self._make_folder(base)
            for file in payload(folder) + [one for one in (folder / CLOCK,) if one.is_file()]:
                self._upload(file, f"{base}/{file.relative_to(folder).as_posix()}")
            sizes = {file.relative_to(folder).as_posix(): file.stat().st_size for file in payload(folder)}
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            self.fs.pipe_file(f"{base}/{MANIFEST}", json.dumps({**manifest, "files": sizes}, indent=2).encode())
        return reference

    def folder(self, reference: Reference) -> Path:
        """Return the artifact's local folder, fetched if need be and verified.

        Raises:
            MissingArtifactError: it is not in the store.
            DamagedArtifactError: its files are not those that its manifest names, or their bytes do not match the digest.
            StoreError: the store cannot be reached.
        """
        names = self._published(reference)
        try:
            found = self.local.folder(reference)
        except (MissingArtifactError, DamagedArtifactError):
            self.local.discard_damaged(reference)
            found = self._fetch(reference, names)
        self._touch(reference)
        return found

    def discard(self, reference: Reference) -> None:
        """Remove an artifact here and among the fetched ones, its manifest first."""
        base = self._base(reference)
        with self._reached("writable"):
            self._withdraw(base)
            with suppress(FileNotFoundError):
                self.fs.rm(base, recursive=True)
        self.local.discard(reference)

    def discard_damaged(self, reference: Reference) -> None:
        """Withdraw a damaged artifact; its files stay, as a repair may be under way."""
        with self._reached("writable"):
            self._withdraw(self._base(reference))
        self.local.discard_damaged(reference)

    def entries(self) -> list[Entry]:
        """Return the entries of the store, whole or not; other names are skipped."""
        with self._reached("readable"):
            found = self._listed(f"{self.root}/objects")
            parts: dict[str, dict[str, Any]] = defaultdict(dict)
            for name, info in found.items():
                shelf, _, rest = name.partition("/")
                sha256, _, file = rest.partition("/")
                if is_digest(sha256) and sha256[:2] == shelf:
                    parts[sha256][file] = info
            return [self._entry(sha256, files) for sha256, files in sorted(parts.items())]

    def last_used(self, reference: Reference) -> float:
        """Return when an artifact was last used, in seconds since 1970; 0 if absent."""
        with self._reached("readable"):
            return _last(self._listed(self._base(reference)))

    @contextmanager
    def open(self, reference: Reference, name: str) -> Iterator[BinaryIO]:
        """Open a payload file of an artifact for reading, its bytes unchecked."""
        with self._reached("readable"), self.fs.open(f"{self._base(reference)}/{plain(name)}", "rb") as file:
            yield file

    def sweep(self, *, before: float, dry: bool = False) -> int:
        """Remove what killed writers left half written locally; see `Store.sweep`."""
        return self.local.sweep(before=before, dry=dry)

    def read_note(self, name: str) -> Any:
        """Return a JSON document kept beside the artifacts; None if absent or damaged."""
        with self._reached("readable"):
            return self._json(f"{self.root}/{plain(name)}")

    def write_note(self, name: str, content: object) -> None:
        """Keep a small JSON document beside the artifacts."""
        path = f"{self.root}/{plain(name)}"
        with self._reached("writable"):
            self._make_folder(path.rpartition("/")[0])
            self.fs.pipe_file(path, json.dumps(content).encode())

    def remove_note(self, name: str) -> None:
        """Remove such a document; nothing happens where it is absent."""
        with self._reached("writable"), suppress(FileNotFoundError):
            self.fs.rm_file(f"{self.root}/{plain(name)}")

    def notes(self, folder: str) -> list[str]:
        """Return the names of such documents below a folder."""
        with self._reached("readable"):
            return [f"{folder}/{name}" for name in self._listed(f"{self.root}/{plain(folder)}")]

    def _base(self, reference: Reference) -> str:
        return f"{self.root}/{address(reference)}"

    def _published(self, reference: Reference) -> list[str]:
        """Return the names of an artifact's files after checking them with its manifest."""
        base = self._base(reference)
        with self._reached("readable"):
            if not self.fs.exists(f"{base}/{MANIFEST}"):
                raise missing(reference, self.label)
            manifest, found = self._json(f"{base}/{MANIFEST}"), self._listed(base)
        known = manifest if isinstance(manifest, dict) and manifest.get("sha256") == reference.sha256 else {}
        sizes = {name: info["size"] for name, info in found.items() if name not in (MANIFEST, CLOCK)}
        if known.get("files") != sizes or not all(PLAIN.fullmatch(part) for name in sizes for part in name.split("/")):
            raise damaged(reference)
        return [*sizes, *(name for name in (MANIFEST, CLOCK) if name in found)]

    def _fetch(self, reference: Reference, names: list[str]) -> Path:
        base = self._base(reference)
        self.local.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._reached("readable"), scratch_folder(self.local.root) as place:
            folder = place / "artifact"
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                try:
                    self.fs.get_file(f"{base}/{name}", str(folder / name))
                except FileNotFoundError:  # taken away in between
                    raise missing(reference, self.label) from None
            if digest_folder(folder) != reference.sha256:
                raise damaged(reference)
            self.local.install(folder, reference)
        return self.local.folder(reference)

    def _upload(self, file: Path, path: str) -> None:
        self._make_folder(path.rpartition("/")[0])
        self.fs.put_file(str(file), path)

    def _make_folder(self, path: str) -> None:
        """Make a folder, unless in a store of buckets: it might make one that is misspelt."""
        protocols = self.fs.protocol if isinstance(self.fs.protocol, list | tuple) else (self.fs.protocol,)
        if not FLAT.intersection(protocols):
            self.fs.makedirs(path, exist_ok=True)

    def _withdraw(self, base: str) -> None:
        with suppress(FileNotFoundError):
            self.fs.rm_file(f"{base}/{MANIFEST}")

    def _touch(self, reference: Reference) -> None:
        """Write an older manifest anew: its time is that of the artifact's last use."""
        path = f"{self._base(reference)}/{MANIFEST}"
        with self._reached("writable"), suppress(FileNotFoundError):
            if _when(self.fs.info(path)) < datetime.now(UTC).timestamp() - REMEMBERED:
                self.fs.pipe_file(path, self.fs.cat_file(path))

    def _listed(self, base: str) -> dict[str, Any]:
        """Return the file system's details of each file below a path, by relative name."""
        self.fs.invalidate_cache()
        found = self.fs.find(base, detail=True)
        return {str(path)[len(base) + 1 :]: info for path, info in sorted(found.items())}

    def _json(self, path: str) -> Any:
        try:
            return json.loads(self.fs.cat_file(path))
        except (FileNotFoundError, ValueError):
            return None

    def _entry(self, sha256: str, files: Mapping[str, Any]) -> Entry:
        manifest = self._json(f"{self._base(Reference('', sha256))}/{MANIFEST}") if MANIFEST in files else None
        size = sum(info["size"] for info in files.values())
        return entry_of(sha256, manifest, size=size, used_at=_last(files), files=files)

    @contextmanager
    def _reached(self, must: str) -> Iterator[None]:
        """Turn errors into a `StoreError` without their text, which may quote a secret."""
        try:
            yield
        except MGVAEError:
            raise
        except Exception as error:
            raise StoreError(
                f"The artifact store {self.label} must be {must}; {type(error).__name__}. Check the address, the credentials "
                "in the environment and what they allow."
            ) from None


def _last(files: Mapping[str, Any]) -> float:
    """Return when files were last written; for a whole artifact its manifest counts."""
    return _when(files[MANIFEST]) if MANIFEST in files else max(map(_when, files.values()), default=0.0)


def _when(info: Mapping[str, Any]) -> float:
    """Return the time of a file in seconds since 1970; now, where none is known."""
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = info.get(key)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float):
            return float(value)
        if isinstance(value, str):
            with suppress(ValueError):
                return datetime.fromisoformat(value).timestamp()
    return datetime.now(UTC).timestamp()
