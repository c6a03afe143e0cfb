"""Anchors of the audit log: what others hold of its head, so that no end is changed or cut off unseen.

The chain of hashes shows a change before the last line. Each run's manifest holds the head that the log had when the run was
published, and Prefect an artifact of the head after each decision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from flows.runs.audit_log import LOG, Change, read
from flows.runs.folder import AuditHead, RunManifest
from mgvae.config.strict import Strict
from mgvae.errors import ConfigError
from mgvae.results.numbers import Count
from mgvae.store.artifact import MANIFEST, digest_file


class Verified(Strict):
    """What an auditor finds in the folder of a study's runs.

    Attributes:
        head: of the log as it is.
        manifests: how many manifests hold an earlier head of it.
        anchored: the last line that one of them holds.
        problems: what does not agree; empty where all is well.
    """

    head: AuditHead
    manifests: Count
    anchored: Count
    problems: tuple[str, ...]


def head_of(study: Path, *, before: str | None = None) -> AuditHead:
    """Return the head of a study's log; the empty head where there is no log.

    Args:
        study: folder of the study's runs.
        before: a run: the head before the first line on it, if there is one, so that a manifest made again is the same.
    """
    lines = _lines(study)
    if before is not None:
        lines = lines[: next((at for at, line in enumerate(lines) if _run_of(line) == before), len(lines))]
    return AuditHead(lines=len(lines), sha256=hashlib.sha256(lines[-1]).hexdigest() if lines else None)


def mismatch(study: Path, held: AuditHead, *, holder: str) -> str | None:
    """Return how a study's log disagrees with a head that it once had; None if it does not.

    Args:
        study: folder of the study's runs.
        held: the earlier head.
        holder: who holds it, for the message.
    """
    lines = _lines(study)
    if held.lines > len(lines):
        return (
            f"{study / LOG}: must have the {held.lines} lines that {holder} holds; {len(lines)} are left: its end was cut off."
        )
    if held.lines and hashlib.sha256(lines[held.lines - 1]).hexdigest() != held.sha256:
        return f"{study / LOG}: line {held.lines} must be the one that {holder} holds; it was changed since."
    return None


def verify(study: Path) -> Verified:
    """Check a study's log by its folder alone: chain of hashes, manifests, reports.

    Args:
        study: folder of the study's runs, or a copy of it.
    Raises:
        ConfigError: there is no such folder, or no log in it.
    """
    if not (study / LOG).is_file():
        raise ConfigError(f"{study}: must be the folder of a study's runs with its {LOG}; there is none. Give it, or a copy.")
    changes, problems = read(study)
    heads = dict(manifest_heads(study))
    problems += [f"{path}: must be the manifest of a run; it is damaged." for path, head in heads.items() if head is None]
    problems += [*disagreeing(study), *_changed_files(study, changes)]
    held = [head.lines for head in heads.values() if head is not None]
    return Verified(head=head_of(study), manifests=len(held), anchored=max(held, default=0), problems=tuple(problems))


def manifest_heads(study: Path) -> Iterator[tuple[Path, AuditHead | None]]:
    """Yield the manifests of a study's runs with the head that each holds; None where it is damaged.

    One that an earlier version wrote holds none and is left out.
    """
    for path in sorted(study.glob(f"[!.]*/{MANIFEST}")):
        if path.parent.is_symlink():
            continue
        try:
            head = RunManifest.read(path.parent).audit
        except (OSError, ValueError):
            yield path, None
            continue
        if head is not None:
            yield path, head


def disagreeing(study: Path) -> Iterator[str]:
    """Yield how a study's log disagrees with the heads that its runs' manifests hold."""
    for path, head in manifest_heads(study):
        wrong = None if head is None else mismatch(study, head, holder=str(path))
        if wrong is not None:
            yield wrong


def _changed_files(study: Path, changes: tuple[Change, ...]) -> Iterator[str]:
    """Yield the files of runs that are not those on which the log's last line about them was decided."""
    for change in {change.run_id: change for change in changes}.values():
        for name in (MANIFEST, "report.json"):
            path = study / change.run_id / name
            if path.is_file() and digest_file(path) != change.sha256.get(name):
                yield f"{path}: must be the file that the log's line of {change.at} names; it was changed since."


def _lines(study: Path) -> list[bytes]:
    try:
        return (study / LOG).read_bytes().split(b"\n")[:-1]  # what follows the last line break is no line
    except OSError:
        return []


def _run_of(line: bytes) -> object:
    try:
        return json.loads(line)["run_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
