"""What the blocks say: mean ranks, means, and differences to no correction with an interval over sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgvae.reproducibility import numpy_generator
from tests.benchmarks.keel.arms import CLASSIFIERS, OVERSAMPLERS, TREES
from tests.benchmarks.keel.blocks import MEASURES, Done
from tests.benchmarks.oversamplers.ranks import ranked

REFERENCE, OURS = "none", "mgvae"
LOWER_IS_BETTER = ("brier",)
RESAMPLES, LEVEL = 2000, 0.95
NEAR = 0.005  # average precision that the sampler may lose against no correction
KINDS = {**{name: (name,) for name in CLASSIFIERS}, "trees": TREES, "all classifiers": CLASSIFIERS}


@dataclass(frozen=True)
class Interval:
    """A mean over sets with its 95 % interval; None with fewer than two families."""

    mean: float
    low: float | None
    high: float | None


def by_set(done: Done, arms: Sequence[str], classifiers: Sequence[str], measure: str) -> dict[str, NDArray[np.float64]]:
    """Return by set the means over its blocks, ``(arms, classifiers)``, of blocks that have all arms."""
    found: dict[str, list[list[list[float]]]] = {}
    for block, measured in done.items():
        if all(arm in measured for arm in arms):
            table = [[measured[arm].scores[name][measure] for name in classifiers] for arm in arms]
            found.setdefault(block.name, []).append(table)
    return {name: np.mean(tables, axis=0) for name, tables in found.items()}


def interval(differences: Sequence[float], family: Sequence[str], *, seed: int = 0) -> Interval:
    """Return the mean of one difference a set, with percentiles of a bootstrap that draws whole families.

    Sets of one family share most of their rows, so that they are no independent evidence.
    """
    value, names = np.asarray(differences, dtype=np.float64), np.asarray(family)
    families = np.unique(names)
    if len(families) < 2:
        return Interval(float(value.mean()), None, None)
    total = np.array([value[names == one].sum() for one in families])
    count = np.array([np.sum(names == one) for one in families])
    drawn = numpy_generator(seed, "families").integers(len(families), size=(RESAMPLES, len(families)))
    low, high = np.quantile(total[drawn].sum(1) / count[drawn].sum(1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value.mean()), float(low), float(high))


def report(done: Done, arms: Sequence[str], family: Mapping[str, str]) -> str:
    """Return all tables as text.

    Args:
        done: blocks; one that lacks an arm is left out.
        arms: the rows of a table.
        family: of each set.
    """
    whole = {block: got for block, got in done.items() if all(arm in got for arm in arms)}
    if not whole:
        return "No block has all arms yet."
    sets = {block.name for block in whole}
    refused = {arm: sum(got[arm].refused for got in whole.values()) for arm in arms}
    families = {family[name] for name in sets}
    lines = [f"{len(whole)} blocks of {len(sets)} sets from {len(families)} families."]
    for arm, count in refused.items():
        if count:
            lines.append(f"{arm} could make no rows in {count} blocks; the rows were left as they were.")
    tables = [_table(whole, arms, family, measure, kind) for measure in MEASURES for kind in KINDS]
    return "\n\n".join(["\n".join(lines), *tables, _targets(whole, arms)])


def _ranks(done: Done, arms: Sequence[str], measure: str, kind: str) -> dict[str, float]:
    """Return each arm's mean rank over sets and classifiers; 1 is the best."""
    values = by_set(done, arms, KINDS[kind], measure)
    sign = -1.0 if measure in LOWER_IS_BETTER else 1.0
    columns = np.array([table.ravel() for table in np.swapaxes(list(values.values()), 0, 1)])  # (arms, sets x classifiers)
    ranking = ranked({arm: (sign * column).tolist() for arm, column in zip(arms, columns, strict=True)})
    return dict(zip(ranking.arms, ranking.mean_ranks, strict=True))


def _table(done: Done, arms: Sequence[str], family: Mapping[str, str], measure: str, kind: str) -> str:
    values = by_set(done, arms, KINDS[kind], measure)
    ranks = _ranks(done, arms, measure, kind)
    means = np.array([table.mean(1) for table in values.values()])  # (sets, arms)
    lines = [
        f"== {measure}, {kind}",
        f"{'arm':22}{'mean rank':>10}{'mean':>9}   difference to {REFERENCE} (95 % interval over sets)",
    ]
    for at, arm in enumerate(arms):
        line = f"{arm:22}{ranks[arm]:10.2f}{means[:, at].mean():9.4f}"
        if arm != REFERENCE and REFERENCE in arms:
            got = interval(means[:, at] - means[:, arms.index(REFERENCE)], [family[name] for name in values])
            line += f"   {got.mean:+.4f}" + ("" if got.low is None else f" ({got.low:+.4f}, {got.high:+.4f})")
        lines.append(line)
    return "\n".join(lines)


def _targets(done: Done, arms: Sequence[str]) -> str:
    """Say which of the targets are met, for trees and for all classifiers."""
    if OURS not in arms or REFERENCE not in arms:
        return f"Targets need the arms {OURS} and {REFERENCE}."
    lines = []
    for kind in ("trees", "all classifiers"):
        rank = _ranks(done, arms, "average_precision", kind)
        others = [arm for arm in arms if arm in OVERSAMPLERS and not arm.startswith(OURS)]
        mean = {arm: _mean(done, arms, arm, "average_precision", kind) for arm in (OURS, REFERENCE)}
        compared = (*others, OURS, REFERENCE, "class_weight")
        accuracy = {arm: _mean(done, arms, arm, "balanced_accuracy", kind) for arm in arms if arm in compared}
        checks = {
            "mean rank in average precision no worse than no correction's": rank[OURS] <= rank[REFERENCE],
            "and better than every oversampler's": all(rank[OURS] < rank[arm] for arm in others),
            f"mean average precision within {NEAR} of no correction's": mean[OURS] >= mean[REFERENCE] - NEAR,
            "balanced accuracy the best of all": accuracy[OURS] >= max(accuracy.values()),
        }
        lines += [f"TARGET, {kind}: {what}: {'met' if met else 'not met'}" for what, met in checks.items()]
    return "\n".join(lines)


def _mean(done: Done, arms: Sequence[str], arm: str, measure: str, kind: str) -> float:
    values = by_set(done, arms, KINDS[kind], measure)
    return float(np.mean([table[arms.index(arm)].mean() for table in values.values()]))
