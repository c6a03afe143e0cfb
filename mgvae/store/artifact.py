"""Reference, digest and address of an artifact, in any store."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mgvae.errors import DamagedArtifactError, MissingArtifactError, StoreError


def digest(content: object) -> str:
    """Return the sha256 of the canonical JSON of ``content``."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


MANIFEST = "manifest.json"
CLOCK = "clock.json"
PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Reference:
    """Kind and digest of an artifact, passed around instead of it."""

    kind: str
    sha256: str

    def to_json(self) -> dict[str, str]:
        """Return the reference as plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Entry:
    """What lies in a store under one digest. Its bytes were not checked.

    Attributes:
        sha256: the digest.
        kind: what it is; empty where its manifest is missing or damaged, as in an entry that was only half written.
        size: bytes.
        used_at: when it was last written or read, in seconds since 1970.
        files: names of the payload files.
        inputs: digests of the artifacts that it was made from, by stage.
    """

    sha256: str
    kind: str
    size: int
    used_at: float
    files: tuple[str, ...] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def reference(self) -> Reference:
        """The entry's reference."""
        return Reference(self.kind, self.sha256)


def digest_folder(folder: Path) -> str:
    """Return the sha256 over names and bytes of the payload files of a folder."""
    total = hashlib.sha256()
    for file in payload(folder):
        total.update(f"{file.relative_to(folder).as_posix()}\0{digest_file(file)}\n".encode())
    return total.hexdigest()


def digest_file(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def payload(folder: Path) -> list[Path]:
    """Return the files of a folder that its digest covers, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in (MANIFEST, CLOCK))


def is_digest(text: str) -> bool:
    """Return whether a text is a sha256 in lower-case hexadecimal digits."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def entry_of(sha256: str, manifest: Any, *, size: int, used_at: float, files: Iterable[str]) -> Entry:
    """Return an entry as described by its manifest, which may be damaged or None."""
    known = manifest if isinstance(manifest, dict) and manifest.get("sha256") == sha256 else {}
    inputs = known.get("inputs")
    return Entry(
        sha256,
        str(known.get("kind", "")),
        size,
        used_at,
        tuple(sorted(name for name in files if name not in (MANIFEST, CLOCK))),
        {str(key): str(value) for key, value in inputs.items()} if isinstance(inputs, dict) else {},
    )


def address(reference: Reference) -> str:
    """Return where an artifact lies below the root of a store.

    Raises:
        StoreError: the reference holds no sha256; such a text might lead out of the store.
    """
    if not isinstance(reference.sha256, str) or not is_digest(reference.sha256):
        raise StoreError("A reference must hold a sha256 in lower-case hexadecimal digits.")
    return f"objects/{reference.sha256[:2]}/{reference.sha256}"


def plain(name: str) -> str:
    """Return a name below a folder, after checking that it cannot lead out of it.

    Its parts are joined by ``/``.

    Raises:
        StoreError: it could.
    """
    if not all(PLAIN.fullmatch(part) for part in name.split("/")):
        raise StoreError("A name in the store must be made of letters, digits, '-', '_' and '.', and may not begin with '.'.")
    return name


def missing(reference: Reference, store: str) -> MissingArtifactError:
    """Return the error that names an artifact which is not there."""
    return MissingArtifactError(f"Artifact {reference.kind} {reference.sha256[:12]} is not in the store {store}.")


def damaged(reference: Reference) -> DamagedArtifactError:
    """Return the error that names an artifact whose bytes are not its own."""
    return DamagedArtifactError(
        f"Artifact {reference.kind} {reference.sha256[:12]} is damaged: its bytes do not match its digest."
    )
