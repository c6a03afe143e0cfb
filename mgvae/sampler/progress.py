"""What a person sees while the sampler works: a bar per phase on stderr, nothing unless asked for."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn


class Phases:
    """Shows how far training is, if ``shown``."""

    def __init__(self, *, shown: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
        self.progress = Progress(*columns, console=Console(stderr=True)) if shown else None

    def __enter__(self) -> Phases:
        """Open the display."""
        if self.progress is not None:
            self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close it."""
        if self.progress is not None:
            self.progress.stop()

    def begin(self, phase: str) -> Callable[[int, int, float], None] | None:
        """Return what hears of a phase's epochs; None where nothing is shown."""
        if self.progress is None:
            return None
        progress, task = self.progress, self.progress.add_task(phase, total=None, note="")
        return lambda epoch, epochs, score: progress.update(task, completed=epoch, total=epochs, note=f"ELBO {score:.2f}")
