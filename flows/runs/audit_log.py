"""Keep the audit log of a study's champions: JSON lines, chained by hashes.

A change in the middle breaks the chain of hashes and is seen. A line counts once it ends with a line break; what a process that
was killed left half written is cut off by the next one, which says so in its own line.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from mgvae.errors import StoreError, reason_of

LOG = "audit.jsonl"
USER = "MGVAE_USER"
Action = Literal["promoted", "kept", "rolled_back", "refused", "cannot_judge", "updated", "accepted"]
MOVES = ("promoted", "rolled_back")
BY_HAND = "A person decided."
NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Change:
    """One line: what was decided of a run.

    Attributes:
        action: promoted (it is champion now), rolled_back (it is champion again), kept (the champion stayed), refused (a gate),
            cannot_judge (the champion stayed, and somebody must look), updated (its model has a new version beside it),
            accepted (a person accepts the drift of its extract).
        run_id: the run that was considered, promoted or brought back.
        previous: the champion before; None for none.
        reason: why, in words.
        rule: the rule that was followed, or that a person decided.
        comparison: the numbers, see `mgvae.results.promotion`; None where none were needed or could be had.
        sha256: of the run's manifest.json and report.json, and of its model artifact; None where it has none.
        at: when, ISO text in UTC. who: MGVAE_USER, else login and machine. previous_sha256: hash of the line before.
        note: what else happened, such as the repair of the log.
        finding: code of why nobody can judge; None where one can, or an earlier version wrote the line.
    """

    action: Action
    run_id: str
    previous: str | None
    reason: str
    rule: str
    comparison: Mapping[str, Any] | None
    sha256: Mapping[str, str | None]
    at: str = ""
    who: str = ""
    previous_sha256: str | None = None
    note: str | None = None
    finding: str | None = None


class Log:
    """The log of one study, held alone by this process while `opened` lasts.

    Attributes:
        study: folder of the study's runs.
        changes: its lines, the oldest first.
    """

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path, self.study = descriptor, path, path.parent
        content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        self._lines, self._half = _parted(content)
        self.changes = parsed(self._lines, path)

    def append(self, change: Change) -> Change:
        """Write a line that lasts, and return it as it was written.

        Raises:
            StoreError: it cannot be written; then the log is as it was.
        """
        before = sum(len(line) + 1 for line in self._lines)
        note = f"A half-written line of {len(self._half)} bytes was cut off." if self._half else change.note
        last = hashlib.sha256(self._lines[-1]).hexdigest() if self._lines else None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        written = replace(change, at=now, who=current_user(), previous_sha256=last, note=note)
        line = json.dumps(asdict(written), allow_nan=False).encode()
        try:
            os.ftruncate(self._descriptor, before)
            _write(self._descriptor, line + b"\n")
        except OSError as error:
            os.ftruncate(self._descriptor, before)
            raise StoreError(f"The audit log {self._path} must be writable with space left; {reason_of(error)}.") from None
        self._lines, self._half = [*self._lines, line], b""
        self.changes = (*self.changes, written)
        return written


@contextmanager
def opened(study: Path) -> Iterator[Log]:
    """Yield a study's log, which no other process may change meanwhile.

    Raises:
        StoreError: it cannot be read or written, or its chain of hashes is broken.
    """
    path = study / LOG
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"The audit log {path} must be writable; {reason_of(error)}.") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            raise StoreError(
                f"The audit log {path} must be in a place whose files can be locked; {reason_of(error)}."
            ) from None
        yield Log(descriptor, path)
    finally:
        os.close(descriptor)  # which gives the lock back


def read(study: Path) -> tuple[tuple[Change, ...], list[str]]:
    """Return the lines of a study's log and its problems, without changing it."""
    path = study / LOG
    try:
        lines, half = _parted(path.read_bytes())
    except FileNotFoundError:
        return (), []
    except OSError as error:
        return (), [f"{path} must be readable; {reason_of(error)}."]
    wrong = [f"{path}: the last line is half written: a process was stopped. The next change cuts it off."] if half else []
    try:
        return parsed(lines, path), wrong
    except StoreError as error:
        return (), [str(error), *wrong]


def parsed(lines: Sequence[bytes], path: Path) -> tuple[Change, ...]:
    """Return the changes in the lines of a log.

    Raises:
        StoreError: a line is none, or does not follow the one before.
    """
    known = {field.name for field in fields(Change)}
    changes, last = [], None
    for number, line in enumerate(lines, start=1):
        try:
            content = json.loads(line)
            change = Change(**cast("dict[str, Any]", {key: value for key, value in content.items() if key in known}))
            if change.action not in get_args(Action) or not all(NAME.fullmatch(name) for name in _names(change)):
                raise ValueError("action or run")
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise _damaged(path, f"line {number} cannot be read") from None
        if change.previous_sha256 != last:
            raise _damaged(
                path, f"line {number} must follow the line before it, and the hashes differ: one of them was changed"
            )
        last = hashlib.sha256(line).hexdigest()
        changes.append(change)
    return tuple(changes)


def champions(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes to each champion, the present one last."""
    stack: list[Change] = []
    for change in changes:
        if change.action == "rolled_back":
            stack = stack[:-1]
        elif change.action == "promoted":
            stack = [*(stack[:-1] if stack and stack[-1].run_id == change.run_id else stack), change]
    return tuple(stack)


def last_move(changes: Sequence[Change]) -> Change | None:
    """Return the change that made the present champion; None if there is none."""
    return next((change for change in reversed(changes) if change.action in MOVES), None)


def current_user() -> str:
    """Return who acts: MGVAE_USER in the environment, else login and machine."""
    named = " ".join(os.environ.get(USER, "").split())
    if named:
        return named
    try:
        login = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        login = f"uid {os.getuid()}"
    return f"{login}@{platform.node()}"


def _names(change: Change) -> list[str]:
    """Return the run folders that a change names; a name must not lead elsewhere."""
    return [change.run_id] if change.previous is None else [change.run_id, change.previous]


def _parted(content: bytes) -> tuple[list[bytes], bytes]:
    """Return the whole lines, and what follows the last line break."""
    *lines, half = content.split(b"\n")
    return lines, half


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
    os.fsync(descriptor)


def _damaged(path: Path, problem: str) -> StoreError:
    return StoreError(
        f"The audit log {path} must be as it was written; {problem}. Nothing was changed. Put a copy of it back; or, once you "
        "know what happened, move it to a safe place and begin anew with mgvae champion promote RUN --reason ..."
    )
