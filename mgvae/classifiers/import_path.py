"""Import a user's own classifier by the path that cohort.yaml names."""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from mgvae.errors import ConfigError

LISTED, RESTRICTED = "MGVAE_CLASSIFIERS", "MGVAE_ROOTS"


def load_factory(name: str, path: str) -> Callable[[], Any]:
    """Import what ``path`` leads to; this runs the module's code.

    Args:
        name: of the classifier, for messages.
        path: ``package.module:factory``; the factory may be a class or an attribute of one.
    Raises:
        ConfigError: this machine does not allow the module, it cannot be imported, or the factory cannot be called.
    """
    module, _, attributes = path.partition(":")
    _require_listed(name, module)
    try:
        found: Any = import_module(module)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except Exception as error:  # whatever a module does when it is imported; no patient's data have been read
        raise ConfigError(
            f"Classifier '{name}': '{path}' must be importable where the study runs; {type(error).__name__}: {error}. "
            "Install its package there, or put its folder on PYTHONPATH."
        ) from None
    if not callable(found):
        raise ConfigError(
            f"Classifier '{name}': '{path}' must be a function or class that returns an estimator; got {type(found).__name__}."
        )
    factory: Callable[[], Any] = found
    return factory


def identity(name: str, path: str) -> dict[str, str | None]:
    """Return what tells one version of a user's classifier from another.

    Returns:
        ``path``; ``version`` of the package, if it is installed as one; ``source``, the sha256 of the module's file.
    Raises:
        ConfigError: as `load_factory`.
    """
    load_factory(name, path)
    module = import_module(path.partition(":")[0])
    top = module.__name__.partition(".")[0]
    packages = _packages(tuple(sys.path)).get(top, [])
    file = inspect.getsourcefile(module)
    return {
        "path": path,
        "version": metadata.version(packages[0]) if packages else None,
        "source": hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else None,
    }


def identities(own: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    """Return the `identity` of each classifier, by name."""
    return {name: identity(name, path) for name, path in own.items()}


@lru_cache(maxsize=1)
def _packages(places: tuple[str, ...]) -> Mapping[str, list[str]]:
    """Return the packages of each module on ``sys.path``; finding them takes a second, and each stage's key asks for them."""
    return metadata.packages_distributions()


def _require_listed(name: str, module: str) -> None:
    """Require that MGVAE_CLASSIFIERS lists a module, where imports are restricted."""
    if LISTED not in os.environ and not os.environ.get(RESTRICTED):
        return
    listed = [one.strip() for one in os.environ.get(LISTED, "").split(",") if one.strip()]
    if not any(module == one or module.startswith(f"{one}.") for one in listed):
        raise ConfigError(
            f"Classifier '{name}': {LISTED} must list the module '{module}' on this machine, which restricts what a run may "
            "import; it does not. Ask who runs the machine to add it, or leave the classifier out."
        )
