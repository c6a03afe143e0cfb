"""Compute stages of one process in a worker, beside a stage that fills all cores with its cells."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from flows.progress import Noted, listening, replay
from flows.study.stage_cost import recorded_cost
from flows.study.stages.stage import Inputs, Stage
from mgvae.config.study import CohortConfig
from mgvae.evaluation.parallel import ProcessPool, started_thread

POLL = 0.5  # seconds between looks for progress


class Companion:
    """A thread that waits for one piece of work after another while the main thread does its own.

    Whichever fails first, the calls of both in the pool are given up, and its error is the one that is raised.
    """

    def __init__(self, pool: ProcessPool) -> None:
        self._pool = pool
        self._work: Future[None] = Future()
        self._work.set_result(None)

    def __enter__(self) -> Self:
        return self

    def start(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, after the one before."""
        self.join()
        self._work = Future()
        started_thread(partial(copy_context().run, self._attempt, work, self._work), "stages beside")

    def join(self) -> None:
        """Wait for the work; raise what it raised."""
        self._work.result()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            self.join()
            return
        first = self._work.exception() if self._work.done() else None
        self._pool.shutdown(wait=False)
        wait([self._work])  # it has files to remove
        if first is not None and isinstance(error, Exception):
            raise first from None

    def _attempt(self, work: Callable[[], None], ended: Future[None]) -> None:
        try:
            work()
        except BaseException as error:
            ended.set_exception(error)
            self._pool.shutdown(wait=False)
        else:
            ended.set_result(None)


def make_in_worker(pool: ProcessPool, stage: Stage, config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Compute a stage in the first worker that is free, reporting its progress.

    Raises:
        StoppedError: something beside it failed, or the run is stopped.
    """
    progress, seen = folder.with_name("progress"), 0
    with pool.stopping():
        call = pool.submit_next(_make, stage.make, config, dict(inputs), folder, progress)
        while wait([call], timeout=POLL).not_done:
            seen = replay(progress, seen)
        replay(progress, seen)
        call.result()


def _make(
    make: Callable[[CohortConfig, Inputs, Path], None], config: CohortConfig, inputs: Inputs, folder: Path, progress: Path
) -> None:
    with listening(Noted(progress)), recorded_cost(folder):
        make(config, inputs, folder)
