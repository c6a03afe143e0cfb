"""List and remove artifacts of the store, for `flows.commands.cache`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flows.runs.records import all_records, remove_record
from flows.runs.registry import KnownRun, known_runs, newest, users
from mgvae.errors import ConfigError, nearest
from mgvae.store.artifact import Entry
from mgvae.store.open import AnyStore

LEAST_DIGITS = 6


@dataclass(frozen=True)
class Row:
    """One artifact as a person sees it.

    Attributes:
        entry: what lies in the store.
        runs: the runs that use it, as ``study/run id``.
        rows: rows of its longest table, where it has one that can be read.
    """

    entry: Entry
    runs: tuple[str, ...]
    rows: int | None


@dataclass(frozen=True)
class Freed:
    """What was removed, or would be.

    Attributes:
        entries: the artifacts.
        leftovers: bytes of what killed writers had left half written.
        kept: why artifacts that were asked for stay, or what could not be read; for the terminal.
    """

    entries: tuple[Entry, ...]
    leftovers: int = 0
    kept: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(entry.size for entry in self.entries) + self.leftovers


def listing(store: AnyStore, out: Path) -> tuple[list[Row], list[str]]:
    """Return all artifacts with the runs that use them, and unreadable run folders."""
    entries = store.entries()
    runs, unreadable = known_runs(store, out)
    rows = [
        Row(entry, tuple(f"{run.study}/{run.run_id}" for run in users(entry, runs)), _rows(store, entry)) for entry in entries
    ]
    return sorted(rows, key=lambda row: (not row.runs, row.runs[:1], row.entry.kind, row.entry.sha256)), unreadable


def remove(
    store: AnyStore, out: Path, *, key: str | None = None, study: str | None = None, stage: str | None = None, dry: bool = False
) -> Freed:
    """Remove one artifact, or those of a study, of a stage, or of a stage of a study.

    What runs of another study use as well stays when a study is removed.

    Args:
        store: where they lie.
        out: folder of the runs.
        key: the first digits of the artifact's digest, six or more.
        study: the study's name.
        stage: the stage's name.
        dry: only say what would go.
    Raises:
        ConfigError: nothing was chosen, or there is no such artifact, study or stage.
    """
    if (key is None) == (study is None and stage is None):
        raise ConfigError("mgvae cache rm: give either a KEY, as mgvae cache ls shows it, or --study, --stage or both.")
    entries = store.entries()
    if key is not None:
        return _remove(store, [_named(entries, key)], dry=dry)
    runs, _ = known_runs(store, out)
    chosen, kept = entries, 0
    if study is not None:
        chosen, kept = _of_study(entries, runs, study)
    if stage is not None:
        chosen = _of_stage(chosen, stage, {entry.kind for entry in entries} - {""})
    note = f"{kept} artifacts that other studies use as well stay." if kept and stage is None else ""
    return _remove(store, chosen, dry=dry, kept=(note,) if note else ())


def collect(store: AnyStore, out: Path, *, keep_last: int, safe_hours: float, dry: bool = False) -> Freed:
    """Remove what none of the last runs of any study uses and nobody has used lately.

    Args:
        store: where the artifacts lie.
        out: folder of the runs.
        keep_last: how many runs of each study keep their artifacts.
        safe_hours: what was written or read within so many hours stays: it may belong to a run in progress.
        dry: only say what would go.
    Raises:
        ConfigError: there is no run at all, so that everything would go.
    """
    before = time.time() - safe_hours * 3600
    entries = store.entries()  # before the runs: a run that ends in between is then among them
    runs, unreadable = known_runs(store, out)
    if entries and not runs:
        raise ConfigError(
            f"mgvae cache gc: must find at least one run below {out} or noted in the store {store.label}; found none, so "
            "all of it would go. Correct --out or --store, or remove artifacts with mgvae cache rm."
        )
    last = newest(runs, keep_last)
    going = [entry for entry in entries if entry.used_at < before and not users(entry, last)]
    freed = _remove(store, going, dry=dry, unused_since=before)
    leftovers = store.sweep(before=before, dry=dry) + _collect_fetched(store, last, before, dry=dry)
    kept = tuple(
        f"{folder}: its manifest is damaged; it does not count as a run. Run the study again." for folder in unreadable
    )
    return Freed(freed.entries, leftovers, kept)


def _collect_fetched(store: AnyStore, last: Sequence[KnownRun], before: float, *, dry: bool) -> int:
    """Remove fetched copies by the same rule; return their bytes."""
    if store.local is store:
        return 0
    going = [entry for entry in store.local.entries() if entry.used_at < before and not users(entry, last)]
    for entry in going if not dry else ():
        store.local.discard(entry.reference)
    return sum(entry.size for entry in going)


def _remove(
    store: AnyStore, entries: Sequence[Entry], *, dry: bool, kept: tuple[str, ...] = (), unused_since: float | None = None
) -> Freed:
    if dry:
        return Freed(tuple(entries), kept=kept)
    removed = []
    for entry in entries:
        if unused_since is None or store.last_used(entry.reference) < unused_since:  # a run may have begun to use it just now
            store.discard(entry.reference)
            removed.append(entry)
    digests = {entry.sha256 for entry in removed}
    for key, sha256 in all_records(store).items() if removed else ():
        if sha256 in digests:
            remove_record(store, key)
    return Freed(tuple(removed), kept=kept)


def _named(entries: Sequence[Entry], key: str) -> Entry:
    if len(key) < LEAST_DIGITS or not set(key) <= set("0123456789abcdef"):
        raise ConfigError(f"mgvae cache rm: KEY must be {LEAST_DIGITS} or more digits of a key that mgvae cache ls shows.")
    found = [entry for entry in entries if entry.sha256.startswith(key)]
    if len(found) != 1:
        reason = "no artifact has it" if not found else f"{len(found)} artifacts have it"
        raise ConfigError(f"mgvae cache rm: KEY {key} must be that of one artifact; {reason}. See mgvae cache ls.")
    return found[0]


def _of_study(entries: Sequence[Entry], runs: Sequence[KnownRun], study: str) -> tuple[list[Entry], int]:
    """Return the artifacts of one study alone, and how many it shares with others."""
    studies = {run.study for run in runs}
    if study not in studies:
        raise ConfigError(
            f"mgvae cache rm: --study {study}: no run of such a study.{nearest(study, studies)} See mgvae cache ls."
        )
    by = {entry.sha256: {run.study for run in users(entry, runs)} for entry in entries}
    own = [entry for entry in entries if by[entry.sha256] == {study}]
    return own, sum(study in studies for studies in by.values()) - len(own)


def _of_stage(entries: Sequence[Entry], stage: str, stages: set[str]) -> list[Entry]:
    if stage not in stages:
        raise ConfigError(f"mgvae cache rm: --stage {stage}: no artifact of such a stage.{nearest(stage, stages)}")
    return [entry for entry in entries if entry.kind == stage]


def _rows(store: AnyStore, entry: Entry) -> int | None:
    """Return the rows of the longest readable table of an artifact; None for none."""
    import pyarrow.parquet as pq

    counts: list[Any] = []
    for name in entry.files:
        if name.endswith(".parquet"):
            with suppress(Exception), store.open(entry.reference, name) as file:  # whatever damage looks like
                counts.append(int(pq.read_metadata(file).num_rows))
    return max(counts, default=None)
