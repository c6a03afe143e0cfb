"""Write a simulated study to a folder, a row group at a time, in memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute, parquet
from scipy.special import expit

from mgvae.errors import ConfigError, reason_of
from mgvae.files import scratch_folder
from mgvae.simulation.children import BLOCK, PREVALENCE
from mgvae.simulation.code_book import code_book
from mgvae.simulation.records import COLUMNS, SUBJECT, Records, blocks
from mgvae.simulation.study_files import COHORT, DICTIONARY, EXTRACT, TRUTH, cohort_text, dictionary_text

GROUPS_PER_PART = 16  # row groups of `BLOCK` rows in a file
FILES = (COHORT, DICTIONARY, EXTRACT, TRUTH)
LOWEST, HIGHEST = 0.001, 0.5  # prevalence


def write_study(
    out: Path,
    n: int,
    *,
    seed: int = 0,
    prevalence: float = PREVALENCE,
    force: bool = False,
    advance: Callable[[int], None] = lambda done: None,
) -> int:
    """Write extract, dictionary, cohort.yaml and the true risks; return the events.

    All files are written or none.

    Args:
        out: the folder; made where it is missing.
        n: children.
        seed: the same seed gives the same bytes; the first rows do not depend on ``n``.
        prevalence: mean true risk in the population.
        force: whether files that are there are replaced.
        advance: called with the number of children written so far.
    Raises:
        ConfigError: an argument is out of range, a file is there, or the folder cannot be written.
    """
    _check(n, seed, prevalence)
    _check_free(out, force=force)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out) as place:
            events, varying = _write(place, n, seed, prevalence, advance)
            (place / DICTIONARY).write_text(dictionary_text(varying), encoding="utf-8")
            (place / COHORT).write_text(cohort_text(n, seed=seed, prevalence=prevalence), encoding="utf-8")
            _check_free(out, force=force)
            _move(place, out)
    except OSError as error:
        raise ConfigError(
            f"The folder {out} must be writable with space left; {reason_of(error)}. Give another with --out."
        ) from None
    return events


def _check(n: int, seed: int, prevalence: float) -> None:
    if n < 1:
        raise ConfigError(f"--n must be at least 1 child; got {n}.")
    if not 0 <= seed < 2**32:
        raise ConfigError(f"--seed must be from 0 to 4294967295; got {seed}.")
    if not LOWEST <= prevalence <= HIGHEST:
        raise ConfigError(f"--prevalence must be from {LOWEST} to {HIGHEST}; got {prevalence:g}.")


def _check_free(out: Path, *, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out}: must be a folder; it is a file. Give another with --out.")
    for name in FILES:
        path = out / name
        if path.exists() and path.is_dir() != (name == EXTRACT):
            raise ConfigError(f"{path}: must be what an earlier simulation wrote; it is not. Give another folder with --out.")
        if not force and (path.exists() or path.is_symlink()):
            raise ConfigError(f"{path}: is there already and is not replaced. Give another folder with --out, or --force.")


def _move(place: Path, out: Path) -> None:
    old = out / EXTRACT
    if old.exists():
        old.replace(place / "replaced")
    for name in FILES:
        (place / name).replace(out / name)


def _write(place: Path, n: int, seed: int, prevalence: float, advance: Callable[[int], None]) -> tuple[int, frozenset[str]]:
    """Write extract and truth; return the events, and which predictors vary."""
    (place / EXTRACT).mkdir()
    rest, events, done, part = blocks(n, seed=seed, prevalence=prevalence), 0, 0, 0
    extremes: dict[str, set[Any]] = {}
    with _writer(place / TRUTH) as write_truth:
        while done < n:
            with _writer(place / EXTRACT / f"part-{part:05d}.parquet") as write:
                for records in islice(rest, GROUPS_PER_PART):
                    table = _table(records)
                    write(table)
                    write_truth(_truth(records))
                    _note_extremes(extremes, table)
                    events, done = events + int(records.children.event.sum()), done + len(records)
                    advance(done)
            part += 1
    return events, frozenset(name for name, values in extremes.items() if len(values) > 1)


def _note_extremes(extremes: dict[str, set[Any]], table: Any) -> None:
    """Add the least and the largest value of each predictor."""
    for name in (*COLUMNS, *code_book().names):
        found = compute.min_max(table[name]).as_py()
        known = extremes.setdefault(name, set())
        known |= {value for value in found.values() if value is not None}
        if len(known) > 2:
            extremes[name] = {min(known), max(known)}


@contextmanager
def _writer(path: Path) -> Iterator[Callable[[Any], None]]:
    """Yield a function that adds a table to the file as one row group."""
    opened: list[Any] = []

    def write(table: Any) -> None:
        if not opened:
            opened.append(parquet.ParquetWriter(path, table.schema, compression="zstd"))
        opened[0].write_table(table, row_group_size=BLOCK)

    try:
        yield write
    finally:
        for one in opened:
            one.close()


def _truth(records: Records) -> Any:
    log_odds = records.children.log_odds
    return pa.table({SUBJECT: records.special[SUBJECT], "log_odds": log_odds, "risk": expit(log_odds)})


def _table(records: Records) -> Any:
    arrays = {name: pa.array(values) for name, values in records.special.items()}
    for name, column in COLUMNS.items():
        arrays[name] = _array(records.columns[name], column.kind)
    for place, name in enumerate(code_book().names):
        arrays[name] = pa.array(np.ascontiguousarray(records.codes[:, place]))
    return pa.table(arrays)


def _array(values: Any, kind: str) -> Any:
    """Return an Arrow column in the smallest plain type of its kind; missing is null."""
    if values.dtype == object:
        return pa.array(values, pa.string())
    missing = np.isnan(values)
    stored = {"binary": np.int8, "count": np.int16}.get(kind, np.float64)
    return pa.array(np.where(missing, 0, values).astype(stored), mask=missing)
