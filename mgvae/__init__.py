"""Majority-Guided VAE for rare clinical outcomes; ``from mgvae import MGVAEOverSampler`` is for scikit-learn users."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["MGVAEOverSampler"]


def __getattr__(name: str) -> Any:
    """Import the sampler when it is asked for: no other module should wait for torch, or count as depending on it."""
    if name == "MGVAEOverSampler":
        return import_module("mgvae.sampler.oversampler").MGVAEOverSampler
    raise AttributeError(f"module 'mgvae' has no attribute {name!r}")
