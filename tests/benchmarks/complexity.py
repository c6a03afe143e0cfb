"""Processor seconds of the parts of a study by rows and columns, with fitted exponents, which `make bench` keeps, too.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.complexity [--full] [--kept FILE]

Parts: encoding, an epoch of pre-training with its choice of exemplars, drawing and decoding as many rows, and a fit of both
default classifiers. An exponent below 1 means that a part that does not grow with the table still counts at these sizes.

Of a part that takes less than a second the quickest of several rounds counts.

``--full`` measures 10,000 to 1,000,000 rows of 50 to 1,000 columns, a quarter of an hour. With ``--kept`` each line goes to a
file as soon as its table is measured, and what stands there is not measured again: started anew, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mgvae.cohort.rows import Rows
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.evaluation.arms import Recipe
from mgvae.evaluation.cells import compute_cells
from mgvae.evaluation.fits import Fit
from mgvae.evaluation.one_split import Chain
from mgvae.generator.synthesis import encoded, pretrain_majority
from mgvae.model.encoding import fit_encoding
from mgvae.threads import one_thread
from mgvae.torch_runtime import torch_generator
from tests.benchmarks.oversamplers.speed import simulated

GRID = ((5_000, 20_000, 80_000), (25, 50, 100))
FULL_GRID = ((10_000, 100_000, 1_000_000), (50, 200, 1_000))
ROUNDS, ENOUGH = 5, 1.0  # rounds of a part, of which the quickest counts; fewer where they take longer than so many seconds
MOST_CELLS = 200_000_000  # of a table: with its encoded rows, the decoded ones and the designs, in 24 GiB


def complexity(seed: int, *, full: bool, kept: Path | None = None) -> list[dict[str, float]]:
    """Return processor seconds of the parts of a study, by rows and columns.

    Args:
        seed: of tables and models.
        full: whether to measure `FULL_GRID`, of which tables that are too large are named and left out.
        kept: file of lines that are measured already, to which each further one is added; None to keep none.
    """
    found = _kept_lines(kept)
    parts_of_a_study(mixed(200, 25, seed), seed)  # imports, and what else is done once
    for size, width in sizes(full=full):
        if any((line["rows"], line["columns"]) == (size, width) for line in found):
            continue
        found.append({"rows": size, "columns": width, **parts_of_a_study(mixed(size, width, seed), seed)})
        if kept is not None:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found[-1]) + "\n")
        print(".", end="", flush=True)
    return sorted(found, key=lambda line: line["rows"] * line["columns"])


def sizes(*, full: bool) -> list[tuple[int, int]]:
    """Return the rows and columns of the tables, the smallest first; print which are too large."""
    rows, columns = FULL_GRID if full else GRID
    every = sorted(((n, c) for n in rows for c in columns), key=lambda size: size[0] * size[1])
    for n, c in every:
        if n * c > MOST_CELLS:
            print(f"{n:,} x {c:,} is left out: tables have at most {MOST_CELLS:,} cells.", flush=True)
    return [(n, c) for n, c in every if n * c <= MOST_CELLS]


def _kept_lines(kept: Path | None) -> list[dict[str, float]]:
    lines = kept.read_text(encoding="utf-8").splitlines() if kept is not None and kept.exists() else []
    return [json.loads(line) for line in lines]


def parts_of_a_study(features: pd.DataFrame, seed: int) -> dict[str, float]:
    """Return processor seconds of encoding, an epoch of pre-training, drawing as many rows, and a fit of two classifiers."""
    settings, everyone, seconds = Training(pretrain_epochs=1, device="cpu"), np.arange(len(features)), dict[str, float]()

    def timed(name: str, work: Callable[[], Any]) -> Any:
        each: list[float] = []
        while len(each) < ROUNDS and sum(each) < ENOUGH:
            start = time.process_time()
            done = work()
            each.append(time.process_time() - start)
        seconds[name] = round(min(each), 4)
        return done

    encoding = fit_encoding(features, {name: _column(column) for name, column in features.items()})
    numbers = timed("encode", lambda: encoded(encoding, features, settings))
    trained = timed("epoch", lambda: pretrain_majority(encoding, numbers, everyone, settings, seed=seed))
    codes, draws = trained.model.exemplar_means(numbers), torch_generator(seed, "bench")
    timed("decode", lambda: encoding.decode(trained.model.decoded(codes, draws).numpy()))
    rows = Rows(features, (everyone % 50 == 0).astype(np.int64), everyone)
    chain = Chain(("none",), ("logistic_regression", "hist_gradient_boosting"), Recipe(columns={}, training=settings))
    timed("classifiers", lambda: compute_cells(rows, {"one": Fit("one", everyone, everyone, seed)}, chain))
    return seconds


def print_complexity(table: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Print the table with its exponents, and return these, by part: seconds ~ rows^a columns^b."""
    parts = [name for name in table[0] if name not in ("rows", "columns")]
    print("\n" + f"{'rows':>8} {'columns':>8}" + "".join(f" {name:>12}" for name in parts))
    for line in table:
        print(f"{line['rows']:8,} {line['columns']:8,}" + "".join(f" {line[name]:12.3f}" for name in parts))
    found = {name: exponents(table, name) for name in parts}
    for way in ("rows", "columns"):
        print(f"{'exponent of ' + way:>17}" + "".join(f" {found[name][way]:12.2f}" for name in parts))
    return found


def exponents(table: Sequence[Mapping[str, float]], part: str) -> dict[str, float]:
    """Return the exponents of rows and columns by least squares on logarithms."""
    sizes = np.log([[line["rows"], line["columns"]] for line in table])
    design = np.column_stack([np.ones(len(table)), sizes])
    found = np.linalg.lstsq(design, np.log([max(line[part], 1e-6) for line in table]), rcond=None)[0]
    return {"rows": round(float(found[1]), 3), "columns": round(float(found[2]), 3)}


def mixed(rows: int, columns: int, seed: int) -> pd.DataFrame:
    """Return a table of 25, 50, ... columns: blocks of the simulated table."""
    blocks = [simulated(rows, seed=seed + block)[0].add_suffix(f"_{block}") for block in range(-(-columns // 40))]
    return pd.concat(blocks, axis=1).iloc[:, :columns]


def _column(column: pd.Series) -> Column:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return Column(kind="categorical", categories=tuple(column.cat.categories))
    return Column(kind="continuous")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--kept", type=Path, help="file of lines that are measured already; further ones are added")
    options = parser.parse_args()
    with one_thread():
        print_complexity(complexity(0, full=options.full, kept=options.kept))
