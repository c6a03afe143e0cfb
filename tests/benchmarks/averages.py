"""Averages of classifiers in benchmarks, each member fitted once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.ensemble import EnsembleModel
from mgvae.classifiers.factory import AVERAGED, make

GUIDED = "guided_"  # before a classifier's name: what the arm `guided` makes of it


def members_of(name: str) -> tuple[str, ...]:
    """Return the classifiers that a method averages; none for a single classifier."""
    if name.startswith(GUIDED):
        guided = name.removeprefix(GUIDED)
        return (*(members_of(guided) or (guided,)), "majority_guided")
    return AVERAGED if name == "ensemble" else ()


def averaged(
    names: Sequence[str], known: Mapping[str, Classifier], seed: int, maker: Callable[[str, int], Classifier] = make
) -> Classifier:
    """Return an ensemble whose members are fitted where they are known, else made by ``maker``."""
    members = [known.get(name) or maker(name, seed) for name in names]
    for name, member in zip(names, members, strict=True):
        if name in known:
            vars(member)["fit"] = lambda *_, same=member: same
    return EnsembleModel(members)
