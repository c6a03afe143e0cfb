"""The training part and the hold-out as rows of which fits read what they need from files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import FEATURES, load_cohort, load_labels
from mgvae.files import scratch_folder

if TYPE_CHECKING:
    from mgvae.cohort.stored_rows import AnyRows, StoredRows

DASK = "MGVAE_DASK"  # the address of the scheduler of a cluster


def on_cluster() -> bool:
    """Return whether a cluster computes, whose workers see no file of this machine."""
    return bool(os.environ.get(DASK))


@dataclass(frozen=True)
class CohortRows:
    """A cohort in two parts.

    Attributes:
        cohort: the eligible subjects, without predictors.
        test: the hold-out, bool ``(n,)``.
        train, held: both parts with their predictors.
    """

    cohort: Cohort
    test: BoolArray
    train: AnyRows
    held: AnyRows

    @property
    def sides(self) -> dict[str, AnyRows]:
        """Both parts by name, train and test."""
        return {"train": self.train, "test": self.held}


@contextmanager
def cohort_rows(split: Path, folder: Path) -> Iterator[CohortRows]:
    """Yield a cohort whose predictors are in memory only while they are used.

    They are copied into files beside ``folder`` that the worker processes of this machine read, and that are removed after. The
    workers of a cluster see no file of this machine: for them all rows are in memory, and travel.

    Args:
        split: artifact of stage split.
        folder: the stage's own.
    """
    from mgvae.cohort.rows import Rows, rows
    from mgvae.cohort.stored_rows import store_table, stored_rows

    on_disk = not on_cluster()
    cohort, test = load_cohort(split, features=not on_disk)

    def part(chosen: BoolArray) -> Rows:
        own = cohort.take(chosen)
        return rows(own.features, own.event, own.group, own.weight)

    train, held = part(~test), part(test)
    if not on_disk:
        yield CohortRows(cohort, test, train, held)
        return
    with scratch_folder(folder.parent) as place:
        table = store_table(split / FEATURES, place)
        stored = (stored_rows(table, np.flatnonzero(at), own) for at, own in ((~test, train), (test, held)))
        yield CohortRows(cohort, test, *stored)


@contextmanager
def training_rows(split: Path, folder: Path) -> Iterator[StoredRows]:
    """Yield the training part in files, as `cohort_rows`; for a cluster, too: this process reads and sends what it needs."""
    from mgvae.cohort.rows import rows
    from mgvae.cohort.stored_rows import store_table, stored_rows

    event, group, test = load_labels(split)
    at = np.flatnonzero(~test)
    with scratch_folder(folder.parent) as place:
        yield stored_rows(store_table(split / FEATURES, place), at, rows(pd.DataFrame(index=at), event[at], group[at]))
