"""Progress at a terminal: a line per stage with a bar, or plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import local

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from flows.progress import Silent, listening


class Bars(local):
    """One line per stage on a terminal; each thread has a stage of its own at work."""

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


class Lines(local):
    """Plain lines with the time since the start: a stage begins and ends, and its steps; each thread has its own stage.

    Args:
        console: where to print.
        every: seconds between two lines of steps, at least; the last step of a stage always has its line.
        start: `time.monotonic` at the start.
    """

    def __init__(self, console: Console, every: float, start: float) -> None:
        self.console = console
        self.every = every
        self.start = self.said = start
        self.stage = ""

    def started(self, stage: str) -> None:
        """See `Reporter`."""
        self.stage = stage
        self._say("begins")

    def advanced(self, done: int, total: int, note: str = "") -> None:
        """See `Reporter`."""
        if done >= total or time.monotonic() - self.said >= self.every:
            self._say(f"{done} of {total} done, now {note}" if note else f"{done} of {total} done")

    def ended(self, stage: str, *, cached: bool) -> None:
        """See `Reporter`."""
        self._say("reused" if cached else "done")

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        minutes, seconds = divmod(round(self.said - self.start), 60)
        line = f"{minutes:3d}:{seconds:02d} {self.stage}: {text}"
        self.console.print(line, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def reporting(console: Console, *, lines: float | None = None) -> Iterator[None]:
    """Show progress while the block runs.

    Args:
        console: a terminal shows bars.
        lines: elsewhere, `Lines` at least so many seconds apart; None: nothing.
    """
    if not console.is_terminal:
        with listening(Silent() if lines is None else Lines(console, lines, time.monotonic())):
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
