"""Majority-Guided VAE for rare clinical outcomes.

``from mgvae import MGVAEOverSampler, MajorityGuidedClassifier`` is for users of scikit-learn;
``mgvae.load_model(run).predict(frame)`` predicts with the model of a run.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["MGVAEOverSampler", "MajorityGuidedClassifier", "__version__", "load_model"]  # __init__.pyi has their types

_MODULES = {
    "MGVAEOverSampler": "mgvae.sampler.oversampler",
    "MajorityGuidedClassifier": "mgvae.sampler.guided_classifier",
    "load_model": "mgvae.prediction.predictor",
}


def __getattr__(name: str) -> Any:
    """Return an estimator or the version when asked for.

    No other module of the package waits for them, or counts as depending on them.
    """
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    if name == "__version__":
        return _version()
    raise AttributeError(f"module 'mgvae' has no attribute {name!r}")


def _version() -> str:
    metadata = import_module("importlib.metadata")
    try:
        return str(metadata.version("mgvae-cohort"))
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        return "0"
