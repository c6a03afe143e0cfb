"""Measure pre-training on a GPU against one processor core: rows a second, and the share of the card's peak.

    python -m tests.benchmarks.gpu [--rows 100000] [--columns 50] [--epochs 3] [--only-card] [--arithmetic tf32]

Prints a JSON line for each way: on one core, and on the card with steps that are run one by one and replayed as a CUDA
graph. With --arithmetic the card multiplies matrices in tf32, or computes the objective in bf16, neither of which the
product does. The floating-point operations of a step are those of its matrix products, three
times the forward pass; the peak is that of a large matrix product in float32 (or tf32) on the same device, measured beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import mgvae.training.loops
import mgvae.training.loss
from mgvae.config.dictionary import Column
from mgvae.config.sections import Training
from mgvae.generator.synthesis import encoded, new_model
from mgvae.model.encoding import Encoding, fit_encoding
from mgvae.training.loops import pretrain

BATCHES = (128, 1024, 8192)


def main() -> None:
    """Print a line for each device, way and size of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=50)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--only-card", action="store_true", help="leave the processor out")
    parser.add_argument("--arithmetic", choices=["float32", "tf32", "bf16"], default="float32")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    with arithmetic(wanted.arithmetic):
        for line in measured(wanted.rows, wanted.columns, wanted.epochs, card=wanted.only_card):
            print(json.dumps(line | {"arithmetic": wanted.arithmetic}), flush=True)


@contextmanager
def arithmetic(kind: str) -> Iterator[None]:
    """Compute the objective of pre-training in another way, while this lasts."""
    objective = mgvae.training.loss.elbo_with_own_means

    def halved(*inputs: object, **more: object) -> object:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return objective(*inputs, **more)  # type: ignore[arg-type]

    torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
    with mock.patch.object(mgvae.training.loss, "elbo_with_own_means", halved if kind == "bf16" else objective):
        yield


def measured(rows: int, columns: int, epochs: int, *, card: bool = False) -> Iterator[dict[str, object]]:
    """Yield a measurement for each device, way and size of a step; ``card``: of the card alone."""
    features = correlated(rows, columns)
    encoding = fit_encoding(features, {name: Column(kind="continuous") for name in features})
    ways = [("cpu", "run")] * (not card) + [("cuda", "run"), ("cuda", "replayed")] * torch.cuda.is_available()
    for device, way in ways:
        peak = matrix_peak(torch.device(device))
        for batch in BATCHES:
            settings = Training(device=device, batch_size=batch, pretrain_epochs=epochs if device == "cuda" else 1, patience=99)
            table = encoded(encoding, features, settings)
            replayed = mgvae.training.loops.ReplayedStep
            mgvae.training.loops.ReplayedStep = replayed if way == "replayed" else lambda step: step  # type: ignore
            try:
                seconds, work = timed(table, encoding, settings)
            finally:
                mgvae.training.loops.ReplayedStep = replayed  # type: ignore[misc]
            yield {
                **{"device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(), "way": way},
                **{"batch": batch, "rows_per_second": round(len(table) * 0.85 / seconds), "epoch_seconds": round(seconds, 3)},
                **{"share_of_peak": round(work * len(table) * 0.85 / seconds / peak, 4), "peak_tflops": round(peak / 1e12, 2)},
                **{"torch": torch.__version__, "columns": columns},
            }


def correlated(rows: int, columns: int) -> pd.DataFrame:
    """Return a table through whose columns one factor runs."""
    draws = np.random.default_rng(0)
    factor = draws.normal(size=(rows, 1))
    return pd.DataFrame(factor + draws.normal(size=(rows, columns))).rename(columns="x{}".format)


def timed(table: Tensor, encoding: Encoding, settings: Training) -> tuple[float, float]:
    """Return seconds of the fastest epoch, and operations a row."""
    cut = int(len(table) * 0.85)
    model = new_model(encoding, table[:cut], settings, seed=0)
    ends = [time.perf_counter()]
    pretrain(
        model, table[:cut], table[cut : cut + 2000], settings, seed=0, on_epoch=lambda *_: ends.append(time.perf_counter())
    )
    weights = sum(value.numel() for value in model.parameters() if value.ndim == 2)
    exemplars = min(int(settings.exemplars), cut) * 2 * 16  # two products with the table of exemplars
    return float(np.diff(ends).min()), 6.0 * weights + 2.0 * exemplars


def matrix_peak(device: torch.device, size: int = 4096) -> float:
    """Return float32 operations a second of a large matrix product."""
    size = size if device.type == "cuda" else 1024
    one = torch.randn(size, size, device=device, generator=torch.Generator(device).manual_seed(0))
    best = 0.0
    for _ in range(5):
        wait(device)
        start = time.perf_counter()
        for _ in range(5):
            one @ one
        wait(device)
        best = max(best, 5 * 2 * size**3 / (time.perf_counter() - start))
    return best


def wait(device: torch.device) -> None:
    """Wait until all that was asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
