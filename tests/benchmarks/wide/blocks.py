"""One block: some events and many others to learn from, a half of the table that no method has seen to be judged on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.factory import make
from mgvae.cohort.split import folds
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.reproducibility import derive, numpy_generator
from mgvae.torch_runtime import one_thread
from tests.benchmarks.averages import averaged, members_of
from tests.benchmarks.wide.results import Block, Measured
from tests.benchmarks.wide.tables import WideTable

METHODS = (
    *("logistic_regression", "hist_gradient_boosting", "majority_guided", "guided_logistic_regression"),
    *("guided_hist_gradient_boosting", "random_forest", "ensemble", "guided_ensemble"),
)
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


def measure(table: WideTable, block: Block, methods: Sequence[str], caps: Caps) -> Iterator[tuple[str, Measured]]:
    """Yield the measures of each method on the block, as they come.

    An ensemble averages those of its members that are measured before it, so that trees are grown once.
    """
    learned, tested = parts(table, block, caps)
    train, test = table.rows(learned), table.rows(tested)
    one, seed = unit_weights(len(test)), derive(block.seed, "wide")
    known: dict[str, Classifier] = {}
    spent: dict[str, float] = {}
    for name in methods:
        start = time.process_time()
        with one_thread():
            model = averaged(members_of(name), known, seed) if members_of(name) else make(name, seed)
            known[name] = model.fit(train.features, train.event)
            probability = model.predict_proba(test.features)
        spent[name] = time.process_time() - start
        found = ranking(test.event, probability, one)
        members = sum(spent.get(member, 0.0) for member in members_of(name))
        yield (
            name,
            Measured(
                auroc=float(found["auroc"][0]),
                auprc=float(found["auprc"][0]),
                seconds=round(spent[name] + members, 2),
                learned=len(train),
                tested=len(test),
                test_events=int(test.event.sum()),
            ),
        )
