"""Independent random streams from one seed, each with a name of its own."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return a 32-bit seed for the use called ``names``, the same on every machine."""
    text = "/".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a numpy generator for the use called ``names``."""
    return np.random.default_rng(derive(seed, *names))
