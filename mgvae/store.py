"""Content-addressed artifacts: a folder of files under the sha256 of their bytes, written once, verified when read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mgvae.aside import aside
from mgvae.errors import DamagedArtifactError, StoreError

MANIFEST = "manifest.json"
CLOCK = "clock.json"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Reference:
    """What is passed around instead of an artifact: its kind and the digest of its content."""

    kind: str
    sha256: str

    def to_json(self) -> dict[str, str]:
        """Return the reference as plain JSON."""
        return asdict(self)


class Store:
    """Artifacts below a local folder, ``<root>/objects/<2 hex>/<sha256>/``: payload files and ``manifest.json``; also
    ``clock.json``, where its maker tells how long the work took.

    Files are readable by their owner alone. The digest covers names and bytes of the payload, not those two files, so the same
    content made twice is the same artifact.

    Args:
        root: the folder; made when first written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def save(self, kind: str, write: Callable[[Path], None], *, about: Mapping[str, Any]) -> Reference:
        """Return the reference of a new artifact.

        Args:
            kind: what it is, for messages and the manifest.
            write: puts the payload files into the empty folder that it is given. If it fails, nothing remains.
            about: what the manifest says besides: creator stage, parameters, digests of the inputs, versions.
        Raises:
            StoreError: the folder cannot be written, for want of space or rights.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            with aside(self.root) as place:
                folder = place / "artifact"
                folder.mkdir(mode=0o700)
                write(folder)
                return self._place(kind, folder, about)
        except OSError as error:
            raise StoreError(
                f"The artifact store {self.root} must be writable with space left; {error.strerror or type(error).__name__}."
            ) from None

    def folder(self, reference: Reference) -> Path:
        """Return the artifact's folder, after its bytes were found to match the digest.

        Raises:
            StoreError: it is not there.
            DamagedArtifactError: its bytes do not match.
        """
        folder = self._path(reference)
        if not folder.is_dir():
            raise StoreError(f"Artifact {reference.kind} {reference.sha256[:12]} is not in the store {self.root}.")
        if digest_folder(folder) != reference.sha256:
            raise DamagedArtifactError(
                f"Artifact {reference.kind} {reference.sha256[:12]} is damaged: its bytes do not match its digest."
            )
        return folder

    def discard(self, reference: Reference) -> None:
        """Remove an artifact, whole or damaged; nothing happens where it is absent."""
        shutil.rmtree(self._path(reference), ignore_errors=True)

    def _path(self, reference: Reference) -> Path:
        if len(reference.sha256) != 64 or not set(reference.sha256) <= set("0123456789abcdef"):
            raise StoreError("A reference must hold a sha256 in lower-case hexadecimal digits.")
        return self.root / "objects" / reference.sha256[:2] / reference.sha256

    def _place(self, kind: str, folder: Path, about: Mapping[str, Any]) -> Reference:
        for file in folder.rglob("*"):
            file.chmod(0o700 if file.is_dir() else 0o600)
        reference = Reference(kind, digest_folder(folder))
        manifest = {
            "kind": kind,
            **about,
            "sha256": reference.sha256,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        (folder / MANIFEST).chmod(0o600)
        target = self._path(reference)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            folder.replace(target)
        except OSError:  # another run placed it first; a damaged one is put right
            if not target.is_dir():
                raise
            if digest_folder(target) != reference.sha256:
                shutil.rmtree(target)
                folder.replace(target)
        return reference


def digest_folder(folder: Path) -> str:
    """Return the sha256 over names and bytes of the payload files of a folder."""
    total = hashlib.sha256()
    for file in _files(folder):
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest_file(file)}\n".encode())
    return total.hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file, read in pieces."""
    total = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            total.update(piece)
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (MANIFEST, CLOCK))
