"""Content-addressed artifacts in a local folder, verified when read."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from mgvae.errors import StoreError, reason_of
from mgvae.files import PREFIX, scratch_folder
from mgvae.store.artifact import (
    MANIFEST,
    Entry,
    Reference,
    address,
    damaged,
    digest_folder,
    entry_of,
    is_digest,
    missing,
    plain,
)

OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
TRIES = 20  # each lost try means that another process put the same artifact there, or took it away, in between


class Store:
    """Artifacts below a local folder.

    ``<root>/objects/<2 hex>/<sha256>/`` holds payload files and ``manifest.json``; also ``clock.json``, with the time that the
    work took, where its maker recorded it.

    Files are readable by their owner alone. The digest covers names and bytes of the payload, not those two files, so the same
    content made twice is the same artifact. The time of a folder tells when its artifact was last used. Links are
    never followed.

    Args:
        root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def local(self) -> Store:
        """The store of local folders from which stages read: this one."""
        return self

    @property
    def label(self) -> str:
        """The store as messages name it."""
        return str(self.root)

    def save(self, kind: str, write: Callable[[Path], None], *, about: Mapping[str, Any]) -> Reference:
        """Return the reference of a new artifact.

        Args:
            kind: what it is, for messages and the manifest.
            write: puts the payload files into the empty folder that it is given. If it fails, nothing remains.
            about: what the manifest says besides: creator stage, parameters, digests of the inputs, versions.
        Raises:
            StoreError: the folder cannot be written, for want of space or rights.
        """
        with self._writable(), scratch_folder(self.root) as place:
            folder = place / "artifact"
            folder.mkdir(mode=0o700)
            write(folder)
            reference = Reference(kind, digest_folder(folder))
            created = datetime.now(UTC).isoformat(timespec="seconds")
            manifest = {"kind": kind, **about, "sha256": reference.sha256, "created_at": created}
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
            self.install(folder, reference)
            return reference

    def install(self, folder: Path, reference: Reference) -> None:
        """Move a whole folder to its place, unless it is there; replace a damaged one.

        Raises:
            OSError: the place cannot be written.
        """
        for path in folder.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)
        target = self._path(reference)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in reversed(range(TRIES)):
            try:
                folder.replace(target)
                return
            except OSError as error:  # another run placed it first, or what is there is damaged
                if _holds(target, reference):
                    _touch(target)
                    return
                if not left or error.errno not in OCCUPIED:
                    raise
                self._take_away(target)  # if another run has not by now

    def folder(self, reference: Reference) -> Path:
        """Return the artifact's folder, after its bytes were found to match the digest.

        Raises:
            MissingArtifactError: it is not there.
            DamagedArtifactError: its bytes do not match.
            StoreError: it may not be read.
        """
        folder = self._path(reference)
        there = _is_folder(folder)  # asked before and after: another process may place or remove it in between
        try:
            sound = there and _holds(folder, reference)
        except PermissionError:
            raise StoreError(f"The artifact store {self.label} must be readable; Permission denied.") from None
        if not (there and _is_folder(folder)):
            raise missing(reference, self.label)
        if not sound:
            raise damaged(reference)
        _touch(folder)
        return folder

    def discard(self, reference: Reference) -> None:
        """Remove an artifact, whole or damaged; nothing happens where it is absent.

        Raises:
            StoreError: it may not be removed.
        """
        target = self._path(reference)
        if os.path.lexists(target):
            with self._writable():
                self._take_away(target)

    def discard_damaged(self, reference: Reference) -> None:
        """Remove an artifact found damaged, unless another process has repaired it."""
        if not _holds(self._path(reference), reference):
            self.discard(reference)

    def entries(self) -> list[Entry]:
        """Return the store's entries, whole or not; other names and links are skipped."""
        shelves = _folders(self.root / "objects")
        return [
            _entry(one) for shelf in shelves for one in _folders(shelf) if is_digest(one.name) and one.name[:2] == shelf.name
        ]

    def last_used(self, reference: Reference) -> float:
        """Return when an artifact was last used, in seconds since 1970; 0 if absent."""
        with suppress(OSError):
            return self._path(reference).lstat().st_mtime
        return 0.0

    @contextmanager
    def open(self, reference: Reference, name: str) -> Iterator[BinaryIO]:
        """Open a payload file of an artifact for reading, its bytes unchecked."""
        with (self._path(reference) / plain(name)).open("rb") as file:
            yield file

    def sweep(self, *, before: float, dry: bool = False) -> int:
        """Remove what killed writers left half written before a time; return its bytes.

        Args:
            before: seconds since 1970.
            dry: only count.
        """
        freed = 0
        scratch = [folder for folder in _folders(self.root) if folder.name.startswith(PREFIX)]
        for folder in scratch:
            newest = max(_stat(path).st_mtime for path in [folder, *folder.rglob("*")])
            if newest < before:
                freed += size_of(folder)
                if not dry:
                    with suppress(OSError):
                        self._take_away(folder)
        return freed

    def read_note(self, name: str) -> Any:
        """Return a JSON document kept beside the artifacts; None if absent or damaged."""
        try:
            return json.loads((self.root / plain(name)).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write_note(self, name: str, content: object) -> None:
        """Keep a small JSON document beside the artifacts, in one step."""
        with self._writable(), scratch_folder(self.root) as place:
            file = place / "note"
            file.write_text(json.dumps(content), encoding="utf-8")
            file.chmod(0o600)
            target = self.root / plain(name)
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.replace(target)

    def remove_note(self, name: str) -> None:
        """Remove such a document; nothing happens where it is absent."""
        with self._writable():
            (self.root / plain(name)).unlink(missing_ok=True)

    def notes(self, folder: str) -> list[str]:
        """Return the names of such documents below a folder."""
        top = self.root / plain(folder)
        return sorted(path.relative_to(self.root).as_posix() for path in _walk(top) if not path.name.startswith("."))

    def _path(self, reference: Reference) -> Path:
        return self.root / address(reference)

    def _take_away(self, target: Path) -> None:
        """Move a folder away in one step, then remove it: no reader sees half of it."""
        with scratch_folder(self.root) as place, suppress(FileNotFoundError):
            target.replace(place / "old")

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield
        except OSError as error:
            raise StoreError(f"The artifact store {self.root} must be writable with space left; {reason_of(error)}.") from None


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder; a link counts as itself."""
    return sum(_stat(path).st_size for path in _walk(folder))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _holds(folder: Path, reference: Reference) -> bool:
    """Return whether a folder, no link, holds exactly the artifact's bytes."""
    try:
        return _is_folder(folder) and digest_folder(folder) == reference.sha256
    except FileNotFoundError:  # taken away while it was read
        return False


def _touch(folder: Path) -> None:
    with suppress(OSError):  # it belongs to someone else, or was taken away: the next to read it will see
        os.utime(folder)


def _entry(folder: Path) -> Entry:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        manifest = None
    names = [path.relative_to(folder).as_posix() for path in _walk(folder)]
    used_at = _stat(folder).st_mtime
    return entry_of(folder.name, manifest, size=size_of(folder), used_at=used_at, files=names)


def _folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted; links to folders are none."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(one.path) for one in found if one.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _walk(folder: Path) -> list[Path]:
    """Return the files below a folder, links among them, without following any."""
    return [Path(place) / name for place, _, names in os.walk(folder, followlinks=False) for name in names]


def _stat(path: Path) -> os.stat_result:
    try:
        return path.lstat()
    except FileNotFoundError:
        return os.stat_result((0,) * 10)
