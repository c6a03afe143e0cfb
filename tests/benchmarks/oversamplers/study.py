"""The study: every arm on the same folds of every cohort, kept fold by fold so that a stopped study goes on.

A result is used again only where everything that it depends on is the same: the table, the fold, the arm and its options, for
the library's sampler its sources, for other parts of the library what they do. All arms are thus judged by the same code.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from mgvae.cohort.rows import Rows
from mgvae.cohort.split import folds
from mgvae.reproducibility import derive
from mgvae.threads import one_thread
from tests.benchmarks.oversamplers.arms import ABLATIONS, applies, available, identity, treated
from tests.benchmarks.oversamplers.cohorts import Table
from tests.benchmarks.oversamplers.fingerprints import of_classifier
from tests.benchmarks.oversamplers.results import Result, append, read
from tests.benchmarks.oversamplers.scoring import classifier, score


@dataclass(frozen=True)
class Unit:
    """One arm on one fold.

    Attributes:
        cohort, arm, seed, fold: which.
        key: digest of everything that the numbers depend on.
        classifiers: those still to be measured, each with its fingerprint: ``name@digest``.
    """

    cohort: str
    arm: str
    seed: int
    fold: int
    key: str
    classifiers: tuple[str, ...]


def measure(unit: Unit, train: Rows, test: Rows) -> Result:
    """Return what one arm gives on one fold."""
    with one_thread():
        seed = derive(unit.seed, "benchmark", unit.cohort, unit.fold)
        start = time.perf_counter()
        rows = treated(unit.arm, train, seed=seed)
        seconds = time.perf_counter() - start
        scores = {}
        for label in unit.classifiers:
            name = label.partition("@")[0]
            model = classifier(name, derive(seed, "classifier", name)).fit(rows.features, rows.event, rows.weights)
            scores[label] = score(test.event, model.predict_proba(test.features))
    return Result(unit.cohort, unit.arm, unit.seed, unit.fold, len(train), len(test), seconds, scores)


def split(table: Table, *, n_folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds of one seed, the same for all arms."""
    return folds(table.event, table.group, n_folds=n_folds, seed=derive(seed, "benchmark folds", table.name))


def units(
    tables: Sequence[Table], arms: Sequence[str], *, seeds: int, ablation_seeds: int, n_folds: int, classifiers: Sequence[str]
) -> Iterator[Unit]:
    """Yield every arm on every fold, arm by arm, so that the quick arms of all cohorts come before the slow ones."""
    digests = {(table.name, seed): _digests(table, n_folds=n_folds, seed=seed) for table in tables for seed in range(seeds)}
    labels = tuple(f"{name}@{of_classifier(name)}" for name in classifiers)
    for arm in arms:
        if available(arm) is not None:
            continue
        what = identity(arm)
        for table in tables:
            if not applies(arm, table.features):
                continue
            for seed in range(min(seeds, ablation_seeds) if arm in ABLATIONS else seeds):
                for fold, digest in enumerate(digests[table.name, seed]):
                    key = hashlib.sha256(f"{what}/{table.name}/{digest}/{seed}/{fold}".encode()).hexdigest()[:24]
                    yield Unit(table.name, arm, seed, fold, key, labels)


def run(
    tables: Sequence[Table],
    arms: Sequence[str],
    *,
    seeds: int,
    ablation_seeds: int,
    n_folds: int,
    classifiers: Sequence[str],
    path: Path,
    jobs: int,
    measuring: bool = True,
) -> list[Result]:
    """Return the results of all arms on all folds, measuring those that ``path`` does not hold yet.

    An arm that fails on a fold is reported on stderr and left out of the results; it is tried again next time.

    Args:
        tables: the cohorts.
        arms: of ``arms.ARMS``.
        seeds: how many times the folds are drawn anew, from seeds 0, 1, ...
        ablation_seeds: the same for the sampler's ablations, at most ``seeds``.
        n_folds: of each cross-validation.
        classifiers: fitted on every arm's rows.
        path: the file of results; made readable by its owner alone.
        jobs: processes, of one thread each.
        measuring: False to return only what the file holds.
    """
    drawn = {"seeds": seeds, "ablation_seeds": ablation_seeds, "n_folds": n_folds}
    wanted = list(units(tables, arms, **drawn, classifiers=classifiers))
    known = read(path)
    missing = [left for unit in wanted if (left := _left(unit, known)) is not None]
    if measuring and missing:
        for unit, result in _measured(missing, tables, n_folds=n_folds, jobs=jobs):
            append(path, unit.key, result)
    known = read(path)
    return [_plain(known[unit.key], unit.classifiers) for unit in wanted if _left(unit, known) is None]


def _left(unit: Unit, known: dict[str, Result]) -> Unit | None:
    """Return the unit with the classifiers that are still to be measured; None where there are none."""
    have = known[unit.key].scores if unit.key in known else {}
    names = tuple(name for name in unit.classifiers if name not in have)
    return Unit(unit.cohort, unit.arm, unit.seed, unit.fold, unit.key, names) if names else None


def _plain(result: Result, labels: Sequence[str]) -> Result:
    """Return the result with the scores of these classifiers under their bare names."""
    return replace(result, scores={label.partition("@")[0]: result.scores[label] for label in labels})


def _measured(missing: list[Unit], tables: Sequence[Table], *, n_folds: int, jobs: int) -> Iterator[tuple[Unit, Result]]:
    by_name = {table.name: table for table in tables}
    start = time.perf_counter()
    pool = Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="2*n_jobs")
    for done, (unit, result) in enumerate(pool(_work(missing, by_name, n_folds=n_folds)), start=1):
        elapsed = time.strftime("%H:%M:%S", time.gmtime(time.perf_counter() - start))
        what = f"{elapsed} {done}/{len(missing)} {unit.cohort} {unit.arm} seed {unit.seed} fold {unit.fold}"
        if isinstance(result, str):
            print(f"{what}: failed with {result}", file=sys.stderr, flush=True)
        else:
            print(f"{what}: resampled in {result.seconds:.1f} s", file=sys.stderr, flush=True)
            yield unit, result


def _work(missing: Iterable[Unit], tables: dict[str, Table], *, n_folds: int) -> Iterator[object]:
    drawn: dict[tuple[str, int], list[tuple[np.ndarray, np.ndarray]]] = {}
    for unit in missing:
        table = tables[unit.cohort]
        at = (unit.cohort, unit.seed)
        if at not in drawn:
            drawn[at] = split(table, n_folds=n_folds, seed=unit.seed)
        rows = Rows(table.features, table.event.astype(np.int64), table.group)
        train, test = (rows.take(part) for part in drawn[at][unit.fold])
        yield delayed(_tried)(unit, train, test)


def _tried(unit: Unit, train: Rows, test: Rows) -> tuple[Unit, Result | str]:
    """Return the result, or the kind of error: its message might quote a cell."""
    try:
        return unit, measure(unit, train, test)
    except Exception as error:
        return unit, type(error).__name__


def _digests(table: Table, *, n_folds: int, seed: int) -> list[str]:
    """Return for each fold a digest of the table and of its test rows."""
    rows = pd.util.hash_pandas_object(table.features.assign(**{"": table.event}), index=False).to_numpy()
    return [
        hashlib.sha256(rows.tobytes() + test.astype(np.int64).tobytes()).hexdigest()[:16]
        for _, test in split(table, n_folds=n_folds, seed=seed)
    ]
