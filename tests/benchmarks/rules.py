"""How many synthetic cases break rules between columns, without and with them in the dictionary, and what they cost.

    python -m tests.benchmarks.rules [--cohorts mi_rupture,diabetes130] [--data FOLDER]

The rules are those that `mgvae init` proposes for the cohort. One generator with the default settings is trained on the whole
cohort; it makes as many cases as balance the classes, once free and once with the rules.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.cohort.rows import cases_to_add
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.rules import Rule
from mgvae.config.sections import Training
from mgvae.draft.draft import draft
from mgvae.draft.rules import DraftedRule
from mgvae.generator.synthesis import encoded, pretrain_majority, synthesise
from mgvae.model.encoding import fit_encoding
from mgvae.threads import one_thread
from mgvae.training.inputs import divide_by_event
from mgvae.training.tuning import finetune_cases
from tests.benchmarks.oversamplers.cohorts import DATA, Table, expand, load

SEED = 0


def proposed(table: Table) -> RowRules:
    """Return the rules that `mgvae init` proposes for a cohort."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.csv"
        table.features.assign(outcome=table.event.astype(int)).to_csv(path, index=False)
        found = draft(str(path), outcome="outcome").rules
    columns = {str(name): _column(cells) for name, cells in table.features.items()}
    return RowRules(tuple(_rule(one) for one in found), columns)


def _rule(one: DraftedRule) -> Rule:
    return Rule(missing_together=one.together) if one.together else Rule(rule=one.text)


def _column(cells: pd.Series) -> Column:
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        return Column(kind="continuous")
    levels = tuple(cells.cat.categories)
    return Column(kind="ordinal" if cells.cat.ordered else "binary" if len(levels) == 2 else "categorical", categories=levels)


def measure(table: Table) -> str:
    """Return a line of the table in docs/results/benchmarks.md."""
    settings, rules, seconds = Training(device="cpu"), proposed(table), []
    if not rules:
        return f"| {table.name} | | 0 | | | | | | |"
    encoding = fit_encoding(table.features, rules.columns)
    rows, event = encoded(encoding, table.features, settings), table.event.copy()
    inputs = divide_by_event(encoding, rows, event, table.group)
    with one_thread():
        start = pretrain_majority(encoding, inputs.majority, inputs.majority_group, settings, seed=SEED)
        tuned = finetune_cases(start.model, start.anchor, inputs, settings, seed=SEED)
        made = []
        for used in (NO_RULES, rules):
            begin = time.process_time()
            n = cases_to_add(table.event, 0.5)
            made.append(synthesise(inputs, tuned.model, settings, n=n, seed=SEED, rules=used))
            seconds.append(time.process_time() - begin)
    real, free, kept = (rules.broken(rows) for rows in (table.features, *(one.features for one in made)))
    record = made[1].rules
    assert record is not None
    assert not real.any()
    worst = rules.rules[int(np.argmax(free.sum(axis=0)))].text
    shares = " | ".join(f"{100 * broken.any(axis=1).mean():.1f} %" for broken in (free, kept))
    cells = [f"{len(free):,}", str(len(rules.rules)), shares, f"`{worst[:60]}`", f"{100 * record.redrawn / record.made:.0f} %"]
    return "| " + " | ".join([table.name, *cells, str(record.borrowed), f"{seconds[0]:.1f} → {seconds[1]:.1f} s"]) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohorts", default="mi_rupture,diabetes130")
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args()
    print("| cohort | cases made | rules | break one, free | with rules | most broken, free | redrawn | borrowed | time |")
    print("|---|---:|---:|---:|---:|---|---:|---:|---:|")
    for name in expand(asked.cohorts.split(",")):
        print(measure(load(name, data=asked.data)), flush=True)


if __name__ == "__main__":
    main()
