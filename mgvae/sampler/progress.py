"""Progress of training on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class TrainingProgress:
    """Shows each phase of training as one line on stderr; nothing unless ``enabled``.

    At a terminal and in a notebook the line is renewed after each epoch; elsewhere it is written when the phase has ended.
    """

    def __init__(self, *, enabled: bool) -> None:
        self.enabled, self.line = enabled, ""
        self.renewing = sys.stderr.isatty() or "ipykernel" in sys.modules

    def __enter__(self) -> TrainingProgress:
        return self

    def __exit__(self, *error: object) -> None:
        self._end_phase()

    def start_phase(self, phase: str) -> Callable[[int, int, float], None] | None:
        """Return the callback for a phase's epochs; None where nothing is shown."""
        self._end_phase()
        started = time.monotonic()

        def show(epoch: int, epochs: int, elbo: float) -> None:
            width, seconds = len(self.line), time.monotonic() - started
            self.line = f"{phase}: epoch {epoch} of at most {epochs}, ELBO {elbo:.2f}, {seconds:.0f} s"
            if self.renewing:
                print(f"\r{self.line:<{width}}", end="", file=sys.stderr, flush=True)  # noqa: T201

        return show if self.enabled else None

    def _end_phase(self) -> None:
        if self.line:
            print("" if self.renewing else self.line, file=sys.stderr, flush=True)  # noqa: T201
        self.line = ""
