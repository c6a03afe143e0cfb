"""Names of classifiers: built in, or a user's own with an import path."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import StringConstraints

from mgvae.errors import nearest

BuiltIn = Literal[
    "logistic_regression", "elastic_net", "hist_gradient_boosting", "random_forest", "mlp", "majority_guided", "ensemble"
]
Classifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]  # a `BuiltIn`, or the name of a user's own
ImportPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
MLPLoss = Literal["cross_entropy", "focal", "ldam", "class_balanced"]


def names_and_paths(values: dict[str, Any]) -> dict[str, Any]:
    """Return a section whose ``classifiers`` are names, their paths beside them.

    Args:
        values: the section as read; ``classifiers`` may be a list of names and of mappings from a name to an import path, or a
            mapping of names to import paths, null for what is built in.
    """
    given = values.get("classifiers")
    if isinstance(given, dict):
        given = [name if path is None else {name: path} for name, path in given.items()]
    if not isinstance(given, list | tuple):
        return values
    own = {name: path for one in given if isinstance(one, dict) for name, path in one.items()}
    names = [name for one in given for name in (one if isinstance(one, dict) else [one])]
    return {
        **values,
        "classifiers": names,
        **({"own_classifiers": {**values.get("own_classifiers", {}), **own}} if own else {}),
    }


def require_known(names: Iterable[str], own: Mapping[str, str]) -> None:
    """Require that each name is built in or has an import path, not both.

    Raises:
        ValueError: one is neither, or both; or a path belongs to no name.
    """
    built_in = get_args(BuiltIn)
    for name in names:
        if name in built_in and name in own:
            raise ValueError(f"classifiers: '{name}' is built in; give your own another name, or null for the built-in one")
        if name not in (*built_in, *own):
            raise ValueError(
                f"classifiers: '{name}' must be one of {', '.join(built_in)}, or your own with its import path: "
                f"{{{name}: 'package.module:factory'}}.{nearest(name, built_in)}"
            )
    unused = sorted(set(own) - set(names))
    if unused:
        raise ValueError(f"own_classifiers: '{unused[0]}' must be among classifiers; add it there or remove it here")
