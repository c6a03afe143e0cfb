"""One block: some events and many others to learn from, a half of the table that no method has seen to be judged on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgvae import MGVAEOverSampler
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.factory import make
from mgvae.classifiers.scored_ridge import ScoredRidgeModel
from mgvae.cohort.rows import Rows
from mgvae.cohort.split import folds
from mgvae.evaluation.arms import information_weight
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.reproducibility import derive, numpy_generator
from mgvae.threads import one_thread
from tests.benchmarks.averages import averaged, members_of
from tests.benchmarks.wide.results import Block, Measured
from tests.benchmarks.wide.tables import WideTable

RIDGE = "scored_ridge"  # the linear member of an ensemble on wide tables
ROWS = "mgvae_"  # before a classifier's name: fitted on real rows and those of the sampler
METHODS = (
    *("logistic_regression", "hist_gradient_boosting", "majority_guided", RIDGE, "guided_logistic_regression"),
    *("guided_hist_gradient_boosting", "random_forest", "ensemble", "guided_ensemble"),
)
CASES = 0.2  # of the majority's rows: as many cases as the sampler brings a block to
EVENTS = (20, 50, 100, 300)


@dataclass(frozen=True)
class Caps:
    """The largest numbers of rows.

    Attributes:
        majority: to learn from.
        tested: to be judged on, drawn from the other half at natural prevalence.
    """

    majority: int = 20_000
    tested: int = 20_000


def wanted(tables: Sequence[str], events: Sequence[int], *, seeds: int) -> Iterator[Block]:
    """Yield the blocks, all tables and numbers of events in turn, so that a stopped benchmark has some of each."""
    for seed in range(seeds):
        for table in tables:
            for number in events:
                yield Block(table=table, events=number, seed=seed)


def parts(table: WideTable, block: Block, caps: Caps) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions to learn from and to be judged on, whole groups apart.

    Raises:
        ValueError: the half to learn from has too few events.
    """
    seed = derive(block.seed, "wide", table.name)
    half, other = folds(table.event == 1, table.group, n_folds=2, seed=seed)[0]
    rng = numpy_generator(seed, "rows", block.events)
    cases, majority = (rng.permutation(half[table.event[half] == value]) for value in (1, 0))
    if len(cases) < block.events:
        raise ValueError(
            f"The half to learn from must have {block.events} events; got {len(cases)}. Ask for fewer with --events."
        )
    learned = np.concatenate([cases[: block.events], majority[: caps.majority]])
    return np.sort(learned), np.sort(rng.permutation(other)[: caps.tested])


def members(name: str) -> tuple[str, ...]:
    """Return what a method averages on these tables; none for a single classifier."""
    return tuple(RIDGE if member == "logistic_regression" else member for member in members_of(name))


def _made(name: str, seed: int) -> Classifier:
    return ScoredRidgeModel() if name == RIDGE else make(name, seed)


def measure(table: WideTable, block: Block, methods: Sequence[str], caps: Caps) -> Iterator[tuple[str, Measured]]:
    """Yield the measures of each method on the block, as they come.

    An ensemble averages those of its members that are measured before it, so that trees are grown once. Its seconds are those
    of all its members; those of the sampler are counted with the first classifier that has its rows.
    """
    learned, tested = parts(table, block, caps)
    train, test = table.rows(learned), table.rows(tested)
    one, seed = unit_weights(len(test)), derive(block.seed, "wide")
    known: dict[str, Classifier] = {}
    spent: dict[str, float] = {}
    more: list[Rows] = []
    for name in methods:
        start = time.process_time()
        with one_thread():
            if name.startswith(ROWS):
                more = more or [with_cases(train, seed=seed)]
                weights = np.full(len(more[0]), information_weight(train.event, more[0].event))
                known[name] = _made(name.removeprefix(ROWS), seed).fit(more[0].features, more[0].event, weights)
            else:
                model = averaged(members(name), known, seed, _made) if members(name) else _made(name, seed)
                known[name] = model.fit(train.features, train.event)
            probability = known[name].predict_proba(test.features)
        spent[name] = time.process_time() - start
        found = ranking(test.event, probability, one)
        total = spent[name] + sum(spent.get(member, 0.0) for member in members(name))
        yield (
            name,
            Measured(
                auroc=float(found["auroc"][0]),
                auprc=float(found["auprc"][0]),
                seconds=round(total, 2),
                learned=len(train),
                tested=len(test),
                test_events=int(test.event.sum()),
            ),
        )


def with_cases(rows: Rows, *, seed: int) -> Rows:
    """Return the rows, and after them the sampler's, each a group of its own."""
    sampler = MGVAEOverSampler(CASES, random_state=derive(seed, "mgvae") % 2**31)
    features, event = sampler.fit_resample(rows.features, rows.event, groups=rows.group)
    new = rows.group.max() + 1 + np.arange(len(event) - len(rows))
    return Rows(features.reset_index(drop=True), np.asarray(event, dtype=np.int64), np.concatenate([rows.group, new]))
