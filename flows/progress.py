"""What a person sees while a run works: a line per stage with a bar.

Where the output is no terminal, nothing; or a plain line per step, of studies that are long and are left with a log file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol


class Reporter(Protocol):
    """What is called as a run proceeds."""

    def started(self, stage: str) -> None:
        """Note that a stage begins."""

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """Note that the current stage has done ``done`` of ``total`` steps."""

    def ended(self, stage: str, *, cached: bool) -> None:
        """Note that a stage is done, or reused from an earlier run."""


class Silent:
    """Shows nothing."""

    def started(self, stage: str) -> None:
        """See `Reporter`."""

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""


class Noted(Silent):
    """Notes the steps in a file that another process reads, see `replay`.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([done, total, note]) + "\n")


_current: ContextVar[Reporter] = ContextVar("reporter", default=Silent())  # noqa: B039 - Silent holds no state


def reporter() -> Reporter:
    """Return the reporter of the current run."""
    return _current.get()


@contextmanager
def listening(listener: Reporter) -> Iterator[None]:
    """Report progress to ``listener`` while the block runs."""
    token = _current.set(listener)
    try:
        yield
    finally:
        _current.reset(token)


def replay(path: Path, seen: int) -> int:
    """Report the steps that `Noted` wrote after the first ``seen``; return how many there are."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    for line in whole[seen:]:
        reporter().advanced(*json.loads(line))
    return len(whole)
