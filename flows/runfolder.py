"""Run folders and the links beside them: whether a folder is whole, and links that move in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mgvae.artifact import MANIFEST, digest_file

LATEST = "latest"
CHAMPION = "champion"


def whole(target: Path) -> bool:
    """Return whether the run folder is there with the bytes that its manifest names."""
    try:
        files = json.loads((target / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(digest_file(target / name) == sha256 for name, sha256 in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def point(link: Path, name: str) -> None:
    """Make ``link`` a symbolic link to ``name`` beside it, in one step."""
    new = link.with_name(f".{link.name}-{os.getpid()}")
    new.unlink(missing_ok=True)
    try:
        new.symlink_to(name)
        new.replace(link)
    finally:
        new.unlink(missing_ok=True)


def pointed(link: Path) -> str | None:
    """Return the name that a link holds; None where there is no link."""
    try:
        return link.readlink().name
    except OSError:
        return None
