"""Fit an encoding a column at a time, and encode rows a block at a time: here, or in workers.

No number depends on the parts: each column is fitted by itself, and each row is encoded by itself. Memory is that of the parts
that are in flight.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from mgvae.arrays import Array, IntArray
from mgvae.cohort.stored_rows import StoredTable
from mgvae.config.dictionary import Column
from mgvae.errors import TrainingError
from mgvae.model.coders import Coder
from mgvae.model.encoding import NO_ROWS, Encoding, fit_coder

BLOCK = 1 << 24  # bytes of an encoded block of rows, which takes a few tenths of a second
FEWEST = 1 << 10  # rows of a block, however wide: each column of each block costs as much as hundreds of its cells
IN_FLIGHT = 1 << 28  # bytes of the parts that workers have, or that wait for their turn
WORTH_WORKERS = 1 << 22  # cells of a table from which workers pay: one takes three seconds to start
T = TypeVar("T")
Read = Callable[[], pd.DataFrame]


@dataclass(frozen=True)
class Workers:
    """What computes the parts.

    Attributes:
        executor: None: this process, one part after another.
        remote: whether it sees no file of this machine, so that a part is read here and travels.
        on_done: called with how many parts are done, and of how many.
    """

    executor: Executor | None = None
    remote: bool = False
    on_done: Callable[[int, int], None] | None = None

    def reading(self, table: StoredTable, at: IntArray) -> Read:
        """Return how a worker comes by the rows at places ``at`` of a table."""
        return partial(_unchanged, table.take(at)) if self.remote else partial(table.take, at)

    def in_order(self, calls: Iterable[Callable[[], T]], *, size: int) -> Iterator[T]:
        """Yield what calls return, in their order.

        Args:
            calls: each is made when there is room for it.
            size: bytes that a call takes or gives.
        """
        if self.executor is None:
            yield from (call() for call in calls)
            return
        waiting, most = deque[Future[T]](), max(2, IN_FLIGHT // size)
        for call in calls:
            waiting.append(self.executor.submit(call))
            if len(waiting) == most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


HERE = Workers()


def fit_by_column(table: StoredTable, at: IntArray, columns: Mapping[str, Column], workers: Workers = HERE) -> Encoding:
    """Return `fit_encoding` of the rows at places ``at`` of a table, ``(n,)``; a column is in memory at a time.

    Raises:
        TrainingError: there are no rows, or no columns.
    """
    if not len(at) or not columns:
        raise TrainingError(NO_ROWS)
    calls = (partial(_fitted, workers.reading(table.only(name), at), columns[name]) for name in columns)
    coders = workers.in_order(calls, size=8 * len(at))
    return Encoding(dict(zip(columns, coders, strict=True)))


def encoded_blocks(encoding: Encoding, table: StoredTable, at: IntArray, workers: Workers = HERE) -> Iterator[Array]:
    """Yield the encoded rows at places ``at`` of a table, float32 ``(rows, W)`` a block."""
    rows = max(FEWEST, BLOCK // (4 * encoding.width))
    starts = range(0, len(at), rows)
    calls = (partial(_encoded, workers.reading(table, at[start : start + rows]), encoding) for start in starts)
    for done, block in enumerate(workers.in_order(calls, size=4 * encoding.width * rows), start=1):
        if workers.on_done is not None:
            workers.on_done(done, len(starts))
        yield block


def _unchanged(features: pd.DataFrame) -> pd.DataFrame:
    return features


def _fitted(read: Read, column: Column) -> Coder:
    return fit_coder(read().iloc[:, 0], column)


def _encoded(read: Read, encoding: Encoding) -> Array:
    return encoding.encode(read(), dtype=np.float32)
