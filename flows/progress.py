"""What a person sees while a run works: a line per stage with a bar.

Where the output is no terminal, nothing; or a plain line per step, of studies that are long and are left with a log file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Reporter(Protocol):
    """Hears how far a run is."""

    def started(self, stage: str) -> None:
        """Hear that a stage begins."""

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """Hear that the stage at work has done ``done`` of ``total`` steps."""

    def ended(self, stage: str, *, cached: bool) -> None:
        """Hear that a stage is done, or that an earlier run's result is used."""


class Silent:
    """Shows nothing."""

    def started(self, stage: str) -> None:
        """See `Reporter`."""

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""


_current: ContextVar[Reporter] = ContextVar("reporter", default=Silent())  # noqa: B039 - Silent holds no state


def reporter() -> Reporter:
    """Return who hears of this run's progress."""
    return _current.get()


@contextmanager
def listening(listener: Reporter) -> Iterator[None]:
    """Let ``listener`` hear of the run's progress while the block runs."""
    token = _current.set(listener)
    try:
        yield
    finally:
        _current.reset(token)
