"""What a person sees while a run works: a line per stage with a bar; nothing where the output is not a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


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


class Bars:
    """One line per stage on a terminal."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.at: TaskID | None = None

    def started(self, stage: str) -> None:
        """See `Reporter`."""
        self.at = self.progress.add_task(stage, total=None, note="")

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        if self.at is not None:
            self.progress.update(self.at, completed=done, total=total, note=note)

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""
        if self.at is not None:
            self.progress.update(self.at, completed=1, total=1, note="reused" if cached else "")
            self.progress.stop_task(self.at)
        self.at = None


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


@contextmanager
def reporting(console: Console) -> Iterator[None]:
    """Show progress on ``console`` while the block runs; nothing where it is no terminal."""
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<11}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress, listening(Bars(progress)):
        yield
