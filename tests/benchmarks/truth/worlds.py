"""Worlds: where the patients of a simulated study come from, and what is true there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.rows import Rows
from mgvae.config.sections import Arm, Classifier

ORACLE: Arm = "vae"  # the benchmark's oracle takes the place of this arm
USUAL: tuple[Arm, ...] = ("none", "class_weight", "random_oversampling", "smote")
SITES = 24
EFFECT = 1.4  # standard deviation of the log odds, were the predictors independent


@dataclass(frozen=True)
class World:
    """What is true of the patients, and what a study of them compares.

    Attributes:
        name: on the command line and in the table.
        events: counts of events that are studied.
        prevalence: share of events.
        arms, classifiers: what the study compares.
        predictors: how many; all act alike on the log odds.
        strength: factor of their effects; 0: they are useless.
        fresh_cases: events -> at most so many cases are added by the oracle; where absent, until the classes are balanced.
        leak: whether a predictor is the outcome with a little noise.
        sites: whether patients come in sites that differ in risk and case mix.
        curved: whether the risk depends on squares and products of predictors.
        every: only each so-manieth study is made, where the question needs few or a study takes long.
    """

    name: str
    events: tuple[int, ...]
    prevalence: float = 0.03
    arms: tuple[Arm, ...] = USUAL
    classifiers: tuple[Classifier, ...] = ("logistic_regression",)
    predictors: int = 24
    strength: float = 1.0
    fresh_cases: Mapping[int, int] = field(default_factory=dict)
    leak: bool = False
    sites: bool = False
    curved: bool = False
    every: int = 1


WORLDS = {
    world.name: world
    for world in (
        World("no benefit", (20, 60, 200)),
        World("planted", (20, 60, 200), arms=(*USUAL, ORACLE), predictors=60, fresh_cases={20: 50}),
        World("useless", (20, 60, 200), strength=0.0, every=2),
        World("few events", (10,), every=4),
        World("leak", (20, 60), leak=True, every=8),
        World("sites", (60, 200), sites=True, prevalence=0.05, every=4),
        World(
            "boosting",
            (60,),
            prevalence=0.05,
            classifiers=("logistic_regression", "hist_gradient_boosting"),
            curved=True,
            strength=1.5,
            every=8,
        ),
    )
}


def draw(world: World, *, events: int, others: int, generator: np.random.Generator) -> Rows:
    """Draw patients: exactly so many with the event and without it.

    Args:
        world: where they come from.
        events, others: how many; none of either is allowed.
        generator: of the draws.
    """
    wanted = {1: events, 0: others}
    parts: list[tuple[FloatArray, IntArray, IntArray]] = []
    while any(wanted.values()):
        x, event, site = _patients(world, 20_000, generator)
        keep = np.concatenate([np.flatnonzero(event == value)[:count] for value, count in wanted.items()])
        parts.append((x[keep], event[keep], site[keep]))
        for value in wanted:
            wanted[value] -= int((event[keep] == value).sum())
    x, event, site = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = generator.permutation(len(event))
    group = site[order] if world.sites else np.arange(len(event))
    return Rows(_table(world, x[order], event[order], generator), event[order], group)


def _patients(world: World, n: int, generator: np.random.Generator) -> tuple[FloatArray, IntArray, IntArray]:
    """Return standardised predictors ``(n, P)``, outcomes and sites ``(n,)``."""
    site = generator.integers(SITES, size=n)
    shared = generator.normal(size=(n, 1))
    x = np.sqrt(0.8) * generator.normal(size=(n, world.predictors)) + np.sqrt(0.2) * shared
    effects = _effects(world)
    line = x @ effects
    if world.curved:
        line = 0.5 * line + 0.5 * (x[:, 0] ** 2 - 1) + 0.5 * x[:, 1] * x[:, 2]
    if world.sites:
        risk, mix = _site_effects(world)
        x, line = x + mix[site], line + mix[site] @ effects + risk[site]
    line = world.strength * line
    event = (generator.random(n) < expit(line + _intercept(world))).astype(np.int64)
    return x, event, site


def _effects(world: World) -> FloatArray:
    """Return the predictors' effects, signs in turn, ``(P,)``."""
    signs = np.where(np.arange(world.predictors) % 2, -1.0, 1.0)
    return np.asarray(EFFECT / np.sqrt(world.predictors) * signs)


def _site_effects(world: World) -> tuple[FloatArray, FloatArray]:
    """Return each site's risk ``(SITES,)`` and case mix ``(SITES, P)``: always the same sites."""
    generator = np.random.default_rng(7)
    return 0.4 * generator.normal(size=SITES), 0.3 * generator.normal(size=(SITES, world.predictors))


def _intercept(world: World) -> float:
    """Return about that of the asked prevalence; `draw` makes it exact."""
    return float(np.log(world.prevalence / (1 - world.prevalence))) - 0.8 * world.strength


def _table(world: World, x: FloatArray, event: IntArray, generator: np.random.Generator) -> pd.DataFrame:
    """Return features: some skewed, some in two or four classes, a few cells missing; all numbers, for speed."""
    columns = {f"x{k}": x[:, k] for k in range(world.predictors)}
    columns["x1"] = np.exp(x[:, 1])
    columns["x3"] = np.where(generator.random(len(x)) < 0.1, np.nan, x[:, 3])
    columns["x5"], columns["x12"] = (x[:, 5] > 0).astype(float), (x[:, 12] > 1).astype(float)
    columns["x7"], columns["x17"] = np.digitize(x[:, 7], [-1.0, 0.0, 1.0]).astype(float), np.floor(np.exp(x[:, 17]))
    if world.leak:
        columns["later"] = event + 0.2 * generator.normal(size=len(x))
    return pd.DataFrame(columns)
