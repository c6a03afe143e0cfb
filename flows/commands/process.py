"""How the process of a command behaves: SIGTERM ends it in order, and it seldom looks for reference cycles."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_as_exit() -> Iterator[None]:
    """Turn SIGTERM into an orderly exit, which removes half-written files."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for reference cycles a hundred times less often: among imported modules that takes a sixth of a short command.

    The interpreter's own search as it ends passes over what there is by then.
    """
    before = gc.get_threshold()
    gc.set_threshold(100 * before[0], *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.freeze()
