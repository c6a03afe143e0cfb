"""Outcomes of an evaluation's cells, kept until its stage ends.

A stopped evaluation, started again with the same inputs, settings and code, goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from flows.runs.records import look_up, remove_record, write_record
from mgvae.errors import StoreError
from mgvae.store.artifact import Reference, digest
from mgvae.store.local import Store

if TYPE_CHECKING:
    from mgvae.evaluation.one_split import ArmOutcome

WORTH_SECONDS = 0.5  # a cell that is computed faster than it is kept and checked is computed again
KIND = "cell"
FILE, ABOUT = "raw.parquet", "about"


@dataclass
class CellStore:
    """Cells of one stage in the store of this machine.

    Attributes:
        store: where they lie.
        key: cache key of the stage.
        names: those of the cells kept or read so far.
    """

    store: Store
    key: str
    names: set[str] = field(default_factory=set)

    def load(self, name: str) -> ArmOutcome | None:
        """Return what was kept under ``name``; None also where it is damaged."""
        reference, _ = look_up(self.store, self._record(name))
        if reference is None:
            return None
        self.names.add(name)
        return _read(self.store.folder(reference))

    def save(self, name: str, outcome: ArmOutcome, seconds: float) -> None:
        """Keep an outcome that took long to compute."""
        if seconds < WORTH_SECONDS:
            return
        with suppress(StoreError):  # a convenience: the stage itself says where there is no space
            reference = self.store.save(KIND, lambda folder: _write(folder, outcome), about={"stage": KIND, "cell": name})
            write_record(self.store, self._record(name), reference)
            self.names.add(name)

    def discard(self) -> None:
        """Remove what was kept or read."""
        for name in self.names:
            with suppress(StoreError):
                reference, _ = look_up(self.store, self._record(name))
                remove_record(self.store, self._record(name))
                if reference is not None:
                    self.store.discard(Reference(KIND, reference.sha256))

    def _record(self, name: str) -> str:
        return f"{KIND}-{digest([self.key, name])}"


_current: ContextVar[CellStore | None] = ContextVar("kept_cells", default=None)


def kept_cells() -> CellStore | None:
    """Return where the stage at work keeps its cells; None outside of a stage."""
    return _current.get()


@contextmanager
def keeping_cells(store: Store, key: str) -> Iterator[None]:
    """Keep cells under the stage's key while the block runs; remove them after it.

    Where the block raises they stay.
    """
    cells = CellStore(store, key)
    token = _current.set(cells)
    try:
        yield
    finally:
        _current.reset(token)
    cells.discard()


def _write(folder: Path, outcome: ArmOutcome) -> None:
    about = {"fitted_share": outcome.fitted_share, "unavailable": outcome.unavailable, "remarks": outcome.remarks}
    table = pa.table(dict(outcome.raw)).replace_schema_metadata({ABOUT: json.dumps(about, allow_nan=False)})
    pq.write_table(table, folder / FILE)


def _read(folder: Path) -> ArmOutcome:
    from mgvae.evaluation.one_split import ArmOutcome  # a run that finds every stage done needs no classifiers

    table = pq.read_table(folder / FILE)
    about = json.loads(table.schema.metadata[ABOUT.encode()])
    raw = {name: table[name].to_numpy() for name in table.column_names}
    return ArmOutcome(raw, about["fitted_share"], about["unavailable"], tuple(about["remarks"]))
