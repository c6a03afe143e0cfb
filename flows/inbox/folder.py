"""Read and name what lies in the inbox: one folder a study, one name an extract."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mgvae.errors import ConfigError
from mgvae.extract.parts import digest, extension, find_parts

SETTING = "MGVAE_INBOX"
STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{12})((?:\.[a-z0-9]+){0,2})")
STAMP = "%Y%m%dT%H%M%S.%fZ"
DIGITS = 12
LOCK = ".lock"
STEP = timedelta(microseconds=1)


def landed(inbox: Path, study: str) -> list[Path]:
    """Return the landed extracts of a study, oldest first; other files are skipped.

    Args:
        inbox: the folder that holds a folder for each study.
        study: the study's name.
    Raises:
        ConfigError: the name is none that a study can have.
    """
    folder = folder_of(inbox, study)
    return sorted(path for path in folder.iterdir() if _is_extract(path)) if folder.is_dir() else []


def newest_landed(inbox: Path, study: str) -> Path | None:
    """Return the extract of a study that landed last; None if none has."""
    found = landed(inbox, study)
    return found[-1] if found else None


def folder_of(inbox: Path, study: str) -> Path:
    """Return the folder of a study in the inbox.

    Raises:
        ConfigError: the name is none that a study can have; it might lead out of the inbox.
    """
    if not STUDY.fullmatch(study):
        raise ConfigError("study: must be 1 to 64 letters, digits, '-' or '_', beginning with a letter or digit.")
    return inbox / study


def same_bytes(inbox: Path, study: str, sha256: str) -> Path | None:
    """Return the landed extract with this digest; None if missing or changed since."""
    for path in landed(inbox, study):
        if path.name.partition("-")[2][:DIGITS] == sha256[:DIGITS] and digest(find_parts(str(path))) == sha256:
            return path
    return None


def next_name(inbox: Path, study: str, sha256: str, suffix: str) -> str:
    """Return the name of an extract that lands now; it sorts after all earlier ones."""
    stamp = datetime.now(UTC)
    last = newest_landed(inbox, study)
    if last is not None:
        stamp = max(stamp, datetime.strptime(last.name.partition("-")[0], STAMP).replace(tzinfo=UTC) + STEP)
    return f"{stamp.strftime(STAMP)}-{sha256[:DIGITS]}{suffix}"


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the lock of a study's folder; it ends with the process."""
    place = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _is_extract(path: Path) -> bool:
    match = NAME.fullmatch(path.name)
    if match is None or path.is_symlink():  # a link might lead out of the inbox
        return False
    try:
        datetime.strptime(match[1], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return path.is_dir() if not match[3] else path.is_file() and extension(path.name) == match[3]
