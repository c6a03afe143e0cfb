"""Land an extract: copy, compare and validate it, then name it in the inbox."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flows.allowed_paths import require_allowed, require_allowed_dictionary
from flows.inbox.folder import folder_of, next_name, one_at_a_time, same_bytes
from mgvae.config.study import CohortConfig, load_config
from mgvae.errors import ConfigError, ExtractError, MGVAEError, StoreError, reason_of
from mgvae.extract.parts import BLOCK, NAMES, digest, extension, find_parts
from mgvae.files import scratch_folder
from mgvae.results.cohort import ValidationResult
from mgvae.store.artifact import digest_file

GROWING = "the extract changed while it was copied, so it is still being written. Nothing has landed; start when it is whole."


@dataclass(frozen=True)
class Landing:
    """What became of a file that was to land.

    Attributes:
        study: the study of cohort.yaml.
        sha256: digest of the extract.
        rows: its rows; None where its bytes had landed before and were not read again.
        path: where it lies in the inbox; None where validation refused it.
        new: whether it landed now, and not before.
        result: what validation found; None where it was not asked.
    """

    study: str
    sha256: str
    rows: int | None
    path: Path | None
    new: bool
    result: ValidationResult | None


@dataclass(frozen=True)
class _Source:
    """A file to copy: its path, its path within the copy, and its state when found."""

    path: Path
    inner: str
    state: tuple[int, ...]


def land(file: Path, *, cohort: Path, inbox: Path) -> Landing:
    """Copy a valid extract into ``<inbox>/<study>/``, completely or not at all.

    Args:
        file: a CSV or Parquet file, or a folder of parts. It is copied.
        cohort: cohort.yaml of the study.
        inbox: folder of the inbox, made if it is missing.
    Raises:
        ConfigError: cohort.yaml is wrong, or it or the inbox lies outside of MGVAE_ROOTS.
        DataError: the extract cannot be read or used, or is still being written.
        StoreError: the inbox cannot be written.
    """
    require_allowed(str(cohort), "cohort")
    inbox = inbox.resolve()
    config = load_config(cohort, allow=require_allowed_dictionary)
    folder = folder_of(inbox, config.study)
    require_allowed(str(folder), "inbox")
    if "::" in str(inbox) or "://" in str(inbox):
        raise ConfigError("The inbox must be a folder whose path does not contain '::' or '://'. Give another.")
    sources = _sources(file.absolute())
    with _written(folder), scratch_folder(folder) as place:
        staged = place / f"extract{_suffix(file, sources)}"
        _copy(sources, staged, file=file)
        with _named(staged, file):
            return _admit(staged, config, inbox)


def printable(path: Path) -> str:
    """Return a path for messages, with characters that cannot be printed escaped."""
    return _plain(str(path))


def _admit(staged: Path, config: CohortConfig, inbox: Path) -> Landing:
    """Validate the copy and, if it passes, give it its name."""
    sha256 = digest(find_parts(str(staged)))
    before = same_bytes(inbox, config.study, sha256)
    if before is not None:
        return Landing(config.study, sha256, None, before, new=False, result=None)
    result = _validated(config.model_copy(update={"extract": str(staged)}))
    if not result.passed:
        return Landing(config.study, sha256, result.rows, None, new=False, result=result)
    folder, suffix = folder_of(inbox, config.study), "" if staged.is_dir() else staged.name.removeprefix("extract")
    with one_at_a_time(folder):
        before = same_bytes(inbox, config.study, sha256)
        path = before or folder / next_name(inbox, config.study, sha256, suffix)
        if before is None:
            staged.rename(path)
            _sync(folder)
    return Landing(config.study, sha256, result.rows, path, new=before is None, result=result)


def _validated(config: CohortConfig) -> ValidationResult:
    from mgvae.cohort.build import build_cohort
    from mgvae.extract.read import read_extract
    from validation.checks import validate

    table = read_extract(config, whole=True)
    result = validate(table.frame, table.unreadable, config)
    if result.passed:
        build_cohort(config, table.frame)  # raises where there are too few events
    return result


def _sources(file: Path) -> list[_Source]:
    with _read(file):
        if not file.is_dir():
            return [_source(file, "")]
        inside = [(path, path.relative_to(file).as_posix()) for path in sorted(file.rglob("*"))]
        found = [_source(path, inner) for path, inner in inside if _is_part(path, inner)]
    if not found:
        raise ExtractError(f"{printable(file)}: must hold at least one .csv, .csv.gz, .tsv or .parquet file; none was found.")
    return found


def _is_part(path: Path, inner: str) -> bool:
    hidden = any(name.startswith(("_", ".")) for name in inner.split("/"))
    return not hidden and extension(path.name) is not None and not path.is_dir()


def _source(path: Path, inner: str) -> _Source:
    if extension(path.name) is None and path.exists():
        raise ExtractError(f"{printable(path)}: {NAMES}")
    return _Source(path, inner, _state(path))


def _state(path: Path) -> tuple[int, ...]:
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ExtractError(f"{printable(path)}: must be a file; it is a pipe, a device or a socket. Give a file.")
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _suffix(file: Path, sources: Sequence[_Source]) -> str:
    return extension(file.name) or "" if not sources[0].inner else ""


def _copy(sources: Sequence[_Source], staged: Path, *, file: Path) -> None:
    """Copy all files, and check that no source changed meanwhile."""
    for source in sources:
        target = staged / source.inner if source.inner else staged
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        copied = _copy_file(source.path, target)
        with _read(source.path):
            same = digest_file(source.path) == copied and _state(source.path) == source.state
        if not same:
            raise ExtractError(f"{printable(file)}: {GROWING}")
        if digest_file(target) != copied:
            raise StoreError("The inbox must give back what was written to it; it does not. Check its disk.")
    for folder in [staged, *staged.rglob("*")] if staged.is_dir() else []:
        if folder.is_dir():
            folder.chmod(0o700)
            _sync(folder)


def _copy_file(source: Path, target: Path) -> str:
    """Copy one file for its owner alone, and return the sha256 of its bytes."""
    total = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        for block in _blocks(source):
            total.update(block)
            out.write(block)
        out.flush()
        os.fsync(out.fileno())
    return total.hexdigest()


def _blocks(source: Path) -> Iterator[bytes]:
    with _read(source), source.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _sync(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


@contextmanager
def _read(file: Path) -> Iterator[None]:
    """Turn errors of reading a source into ExtractError."""
    try:
        yield
    except FileNotFoundError:
        raise ExtractError(f"{printable(file)}: no such file. Give a CSV or Parquet file, or a folder of parts.") from None
    except OSError as error:
        raise ExtractError(f"{printable(file)}: must be readable; {reason_of(error)}. Nothing has landed.") from None


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    """Make the folder of a study; remove it again if nothing landed there."""
    made = [path for path in (folder, folder.parent) if not path.exists()]
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        yield
    except OSError as error:
        raise StoreError(
            f"The inbox {printable(folder)} must be writable with space left; {reason_of(error)}. Nothing has landed."
        ) from None
    finally:
        with suppress(OSError):  # it holds something
            for path in made:
                path.rmdir()


@contextmanager
def _named(staged: Path, file: Path) -> Iterator[None]:
    """Let errors of reading name the file that was given, and not the copy."""
    try:
        yield
    except MGVAEError as error:
        message = str(error).replace(str(staged), printable(file))
        raise type(error)("\n".join(_plain(line) for line in message.split("\n"))) from None


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else character.encode("unicode_escape").decode() for character in text)
