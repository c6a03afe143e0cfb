"""Time to a given held-out ELBO: our pre-training against a plain implementation of the published objective.

    python -m tests.benchmarks.published_objective [--reference-epochs 3] [--epochs 40] [--seed 0] [--threads N]

The published setting: 166 columns, latent 10, hidden 300, batch 100, 5,581 majority rows, of which 500 are held out and
never trained on. The rows are the majority of Musk-2 where ``../shared/data/musk2`` is present, else generated in the same
shape. Both sides have the same encoder, decoder, likelihood heads, initial weights and evaluation (exact mixture over all
training rows, the same noise), whose time is in both. The reference (tests/reference/published.py) draws 4,000 exemplars a
step and re-encodes them with gradient; it is given two learning rates, the published one and ours, and whichever got
further sets the target. The second table compares ways to carry the prior.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mgvae import train
from mgvae.config import Training
from mgvae.dictionary import Column
from mgvae.elbo import Elbo, elbo
from mgvae.encoding import fit_encoding
from mgvae.generator import encoded, new_model
from mgvae.model import MGVAE
from mgvae.prior import log_gaussian, log_mixture
from mgvae.seeds import numpy_generator, torch_generator
from tests.reference import published

ROWS, COLUMNS, HELD_OUT, EXEMPLARS = 5581, 166, 500, 4000
MUSK = Path(__file__).resolve().parents[3] / "shared" / "data" / "musk2" / "clean2.data.gz"
RATES = (5e-3, Training().learning_rate)  # the published learning rate, and ours
NEAREST = 10
OURS = "exact, own means"
Step = Callable[..., Elbo]


class Moment(NamedTuple):
    """Where a training stood after an epoch.

    Attributes:
        wall: seconds on the wall, evaluation included.
        steps: steps made.
        elbo: held-out ELBO in nats per row.
    """

    wall: float
    steps: int
    elbo: float


class Run(NamedTuple):
    """A training, and the seconds of a step where nothing else disturbed it: the fastest tenth."""

    moments: list[Moment]
    step: float

    def undisturbed(self, moment: Moment) -> float:
        """Return the seconds of the steps up to ``moment`` on a quiet machine, evaluation left out."""
        return moment.steps * self.step


class Task(NamedTuple):
    """The rows, and how to make the model that every contender starts from."""

    rows: Tensor
    heldout: Tensor
    fresh: Callable[[], MGVAE]
    settings: Training
    seed: int

    def evaluate(self, model: MGVAE) -> float:
        """Return the held-out ELBO under the exact mixture over all training rows."""
        return train.heldout_elbo(model, self.heldout, model.exemplar_means(self.rows), seed=self.seed)


class Clock:
    """Collects the times of steps and the moments of epochs since it was made."""

    def __init__(self) -> None:
        self.start, self.before, self.moments = time.perf_counter(), list[float](), list[Moment]()

    def step(self) -> None:
        """Note that a step begins."""
        self.before.append(time.perf_counter())

    def epoch(self, elbo: float) -> None:
        """Note an ELBO reached now."""
        self.moments.append(Moment(time.perf_counter() - self.start, len(self.before), elbo))

    @property
    def run(self) -> Run:
        """What was collected."""
        return Run(self.moments, float(np.quantile(np.diff(self.before), 0.1)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference-epochs", type=int, default=3, help="epochs of the reference at each learning rate")
    parser.add_argument("--epochs", type=int, default=40, help="most epochs of ours")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table, source = musk() if MUSK.exists() else generated(options.seed)
    task = make_task(table, options.epochs, options.seed)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} threads, load {os.getloadavg()[0]:.1f}"
    print(f"machine  {machine}, torch {torch.__version__}\nseed     {options.seed}")
    print(f"rows     {len(task.rows)} + {HELD_OUT} held out, {COLUMNS} columns, {source}")
    print(f"start    held-out ELBO {task.evaluate(task.fresh()):.1f} nats per row\n", flush=True)
    mine = contender(task, *ways(task)[OURS])
    print_ratio({rate: reference(task, rate, options.reference_epochs) for rate in RATES}, mine)
    print_ways({name: mine if name == OURS else contender(task, *how) for name, how in ways(task).items()})


def musk() -> tuple[pd.DataFrame, str]:
    """Return the majority of Musk-2 (UCI 75), ``(5581, 166)``."""
    raw = pd.read_csv(MUSK, header=None)
    majority = raw[raw[168].astype(str).str.rstrip(".").astype(float) == 0].iloc[:, 2:168].astype(float).reset_index(drop=True)
    return majority.set_axis([f"f{column}" for column in range(COLUMNS)], axis=1), "Musk-2"


def generated(seed: int) -> tuple[pd.DataFrame, str]:
    """Return whole numbers that follow ten factors through one bend, ``(5581, 166)``."""
    rng = numpy_generator(seed, "benchmark")
    factors = np.tanh(rng.normal(size=(ROWS, 10)) @ rng.normal(size=(10, 30)))
    values = np.rint(60 * factors @ rng.normal(size=(30, COLUMNS)) / 30**0.5 + 20 * rng.normal(size=(ROWS, COLUMNS)))
    return pd.DataFrame(values, columns=[f"f{column}" for column in range(COLUMNS)]), "generated"


def make_task(table: pd.DataFrame, epochs: int, seed: int) -> Task:
    """Return the task: rows split at random and encoded, settings as published where the publication says them."""
    settings = Training(latent_dim=10, hidden=(300, 300), batch_size=100, pretrain_epochs=epochs, exemplars="all", device="cpu")
    order = numpy_generator(seed, "held out").permutation(len(table))
    kept, apart = table.iloc[order[HELD_OUT:]], table.iloc[order[:HELD_OUT]]
    encoding = fit_encoding(kept, {name: Column(kind="continuous") for name in table})
    rows, heldout = encoded(encoding, kept, settings), encoded(encoding, apart, settings)
    return Task(rows, heldout, lambda: new_model(encoding, rows, settings, seed=seed), settings, seed)


def reference(task: Task, rate: float, epochs: int) -> Run:
    """Return how the plain implementation fared."""
    model, clock = task.fresh(), Clock()
    published.train(
        model,
        task.rows,
        exemplars=min(EXEMPLARS, len(task.rows)),
        batch=task.settings.batch_size,
        learning_rate=rate,
        epochs=epochs,
        generator=torch_generator(task.seed, "reference"),
        on_step=clock.step,
        on_epoch=lambda: clock.epoch(task.evaluate(model)),
    )
    return clock.run


def ways(task: Task) -> dict[str, tuple[Step, Training]]:
    """Return the ways to carry the prior: how a step goes, and the settings."""
    some = {n: task.settings.model_copy(update={"exemplars": n}) for n in (1000, 2000)}
    return {
        OURS: (train._majority_step, task.settings),
        "exact, no gradient": (fixed_step, task.settings),
        f"exact, nearest {NEAREST}": (nearest_step(task.rows), task.settings),
        "2000 exemplars": (train._majority_step, some[2000]),
        "1000 exemplars": (train._majority_step, some[1000]),
    }


def contender(task: Task, step: Step, settings: Training) -> Run:
    """Return how `mgvae.train.pretrain` fared with its step replaced by ``step``."""
    model, clock = task.fresh(), Clock()

    def timed(*arguments: Any) -> Elbo:
        clock.step()
        return step(*arguments)

    def note(_: int, __: int, reported: float) -> None:
        clock.epoch(reported if settings.exemplars == "all" else task.evaluate(model))

    with patch.object(train, "_majority_step", timed):
        train.pretrain(model, task.rows, task.heldout, settings, seed=task.seed, on_epoch=note)
    return clock.run


def fixed_step(model: MGVAE, rows: Tensor, cache: Tensor, position: Tensor, noise: Tensor, settings: Training) -> Elbo:
    """Return the objective with every exemplar mean held fixed, the batch's own too."""
    terms = elbo(model, rows, cache, noise, own=position)
    cache[position] = terms.z_mean.detach()
    return terms


def nearest_step(everyone: Tensor) -> Step:
    """Return a step that re-encodes, with gradient, the exemplars nearest to each row besides its own mean (retrieval)."""

    def step(model: MGVAE, rows: Tensor, cache: Tensor, position: Tensor, noise: Tensor, settings: Training) -> Elbo:
        z_mean, z_log_var = model.encoder(rows)
        near = torch.cdist(z_mean.detach(), cache).topk(NEAREST, largest=False).indices.unique()
        means = cache.index_copy(0, near, model.encoder(everyone[near])[0]).index_copy(0, position, z_mean)
        z = z_mean + torch.exp(0.5 * z_log_var) * noise
        cost = log_gaussian(z, z_mean, z_log_var) - log_mixture(z, means, model.prior_log_var, own=position)
        cache.copy_(means.detach())
        return Elbo(model.decoder.log_prob(rows, z), cost, z_mean)

    return step


def print_ratio(references: dict[float, Run], ours: Run) -> None:
    """Print the reference's epochs and, for each ELBO that it reached, when ours was there."""
    print("plain implementation of the published objective, 4,000 re-encoded exemplars a step")
    print(f"a step where nothing disturbs: reference {min(run.step for run in references.values()) * 1e3:.0f} ms, ", end="")
    print(f"ours {ours.step * 1e3:.1f} ms")
    print(f"{'rate':>6} {'epoch':>5} {'held-out ELBO':>13} {'seconds':>8} {'ours':>7} {'ratio':>6} {'undisturbed':>12}")
    for rate, run in references.items():
        for epoch, moment in enumerate(run.moments, 1):
            print(f"{rate:6.0e} {epoch:5} {moment.elbo:13.2f} {moment.wall:8.1f} {compared(run, moment, ours)}")
    best = max(references.values(), key=lambda run: run.moments[-1].elbo)
    target = best.moments[-1]
    print(
        f"\ntarget {target.elbo:.2f}, reached by the reference after {target.wall:.1f} s: {compared(best, target, ours)}\n",
        flush=True,
    )


def compared(run: Run, moment: Moment, ours: Run) -> str:
    """Return our time to the ELBO of ``moment`` and how much less it is, as measured and where nothing disturbs."""
    there = next((one for one in ours.moments if one.elbo >= moment.elbo), None)
    if there is None:
        return f"{'never':>7} {'':>6} {'':>12}"
    return f"{there.wall:7.1f} {moment.wall / there.wall:6.1f} {run.undisturbed(moment) / ours.undisturbed(there):12.1f}"


def print_ways(ours: dict[str, Run]) -> None:
    """Print held-out ELBO against the seconds of training, where nothing disturbs, for each way to carry the prior."""
    marks = (1, 2, 5, 10)
    print(
        f"{'our pre-training':20} {'ms/step':>8}"
        + "".join(f" {f'at {mark} s':>9}" for mark in marks)
        + f" {'best':>9} {'after s':>8}"
    )
    for name, run in ours.items():
        best = max(run.moments, key=lambda moment: moment.elbo)
        at = [max((one.elbo for one in run.moments if run.undisturbed(one) <= mark), default=float("nan")) for mark in marks]
        print(f"{name:20} {run.step * 1e3:8.2f}" + "".join(f" {elbo:9.2f}" for elbo in at), end="")
        print(f" {best.elbo:9.2f} {run.undisturbed(best):8.1f}")


if __name__ == "__main__":
    main()
