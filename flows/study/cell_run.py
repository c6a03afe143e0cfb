"""How a stage computes the cells of an evaluation: where, with progress, keeping what is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flows.progress import reporter
from flows.study.executor import open_executor
from flows.study.kept_cells import kept_cells
from mgvae.evaluation.cells import Run


@contextmanager
def open_run() -> Iterator[Run]:
    """Yield how a stage computes its cells.

    Raises:
        OrchestrationError: see `open_executor`.
    """
    with open_executor() as executor:
        yield Run(executor, _report_fit, kept_cells())


def _report_fit(done: int, total: int) -> None:
    reporter().advanced(done, total, f"fit {done} of {total}")
