"""What it costs that every majority image is an exemplar: an epoch of pre-training against one of a plain VAE of the same size.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.exemplar_cost [--rows 30000] [--rounds 3] [--data DIR] [--seed 0]

Both train the same model on the same images: encoder and decoder 784-300-300-10, batches of 100, Adam. The plain VAE has the
standard-normal prior; MGVAE the exact mixture over all rows, each left out of its own prior. An epoch is all that happens
from one report of progress to the next: the steps and the held-out ELBO. Rounds of both alternate, so that other work on
the machine disturbs both alike. The images are MNIST's digits 0-4 where ``--data`` names their folder, else random grey
values.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from mgvae.config.sections import Training
from mgvae.cost import Cost, measured
from mgvae.model.network import MGVAE, initialised
from mgvae.paper.datasets.images import read_pair
from mgvae.paper.models.pixel_likelihood import PixelLikelihood
from mgvae.torch_runtime import torch_generator
from mgvae.training.early_stopping import OnEpoch
from mgvae.training.loops import FinetunePlan, finetune, pretrain

LATENT, HIDDEN, SIDE, HELD_OUT, EPOCHS = 10, (300, 300), 28, 500, 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3, help=f"of {EPOCHS} epochs each")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows, heldout, source = images(options.data, options.rows, options.seed)
    settings = Training(batch_size=100, pretrain_epochs=EPOCHS, exemplars="all", device="cpu")
    threads = torch.get_num_threads()
    load = f"load {os.getloadavg()[0]:.1f}"
    print(f"machine  {platform.machine()}, {os.cpu_count()} cores, {threads} threads, {load}, torch {torch.__version__}")
    print(f"seed     {options.seed}\nrows     {len(rows):,} + {len(heldout):,} held out, {source}\n", flush=True)

    def ours(model: MGVAE, told: OnEpoch) -> None:
        pretrain(model, rows, heldout, settings, seed=options.seed, on_epoch=told)

    def plain(model: MGVAE, told: OnEpoch) -> None:
        plan = FinetunePlan(None, 0.0, EPOCHS, options.seed)
        finetune(model, rows, None, settings, plan, heldout=heldout, on_epoch=told)

    ways = {f"MGVAE, {len(rows):,} exemplars": ours, "plain VAE": plain}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    costs: dict[str, Cost] = {}
    for _ in range(options.rounds):
        for name, way in ways.items():
            with measured(costs, name):
                seconds[name] += epochs_of(way, rows, options.seed)
    for name, taken in seconds.items():
        low, middle = min(taken), median(taken)
        print(f"{name:32} {low:6.2f} s an epoch at best, {middle:6.2f} in the middle, {costs[name].peak_mib:,.0f} MiB")
    one, other = seconds.values()
    print(f"\nratio    {min(one) / min(other):.2f} at best, {median(one) / median(other):.2f} in the middle (wanted: below 2)")


def images(folder: Path | None, count: int, seed: int) -> tuple[Tensor, Tensor, str]:
    """Return training and held-out images in [0, 1], ``(count, 784)`` and ``(HELD_OUT, 784)``, and where they come from."""
    if folder is None:
        values = torch.rand(count + HELD_OUT, SIDE * SIDE, generator=torch_generator(seed, "images"))
        return values[:count], values[count:], "random grey values"
    rows, _ = read_pair(folder, "train")
    majority = rows.take(torch.nonzero(rows.labels < 5)[:, 0]).scaled()[: count + HELD_OUT]
    return majority[HELD_OUT:], majority[:HELD_OUT], "MNIST's digits 0-4"


def epochs_of(way: Callable[[MGVAE, OnEpoch], None], rows: Tensor, seed: int) -> list[float]:
    """Return the seconds of each epoch of a training that begins with a fresh model."""
    model = MGVAE(PixelLikelihood(SIDE * SIDE, HIDDEN[0]), hidden=HIDDEN, latent_dim=LATENT)
    initialised(model, torch_generator(seed, "initialise"))
    model.decoder.likelihood.start_at(rows)
    moments = [time.perf_counter()]
    way(model, lambda *_: moments.append(time.perf_counter()))
    return [end - start for start, end in pairwise(moments)]


if __name__ == "__main__":
    main()
