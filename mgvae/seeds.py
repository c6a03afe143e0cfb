"""Independent random streams from one seed: each use names its own, so adding one never shifts another."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def derive(seed: int, *names: str | int) -> int:
    """Return a 32-bit seed for the use called ``names``, the same on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a numpy generator for the use called ``names``."""
    return np.random.default_rng(derive(seed, *names))


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU torch generator for the use called ``names``: draws made on the CPU do not depend on the device."""
    return torch.Generator().manual_seed(derive(seed, *names))


@contextmanager
def own_stream() -> Iterator[None]:
    """Leave torch's global stream as it was before the block: making a layer draws from it."""
    with torch.random.fork_rng(devices=[]):
        yield
