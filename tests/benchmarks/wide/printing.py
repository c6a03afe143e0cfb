"""The table of means: each method, and its difference from the better of logistic regression and boosting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import fmean, stdev

from tests.benchmarks.wide.results import Block, Measured

RIVALS = ("logistic_regression", "hist_gradient_boosting")
Results = Mapping[Block, Mapping[str, Measured]]


def table(results: Results, methods: tuple[str, ...]) -> str:
    """Return a Markdown table of AUROC / AUPRC.

    ``against the better`` is known in hindsight: in each block the rival with the higher AUROC (AUPRC). With it stands the
    standard error over blocks, and the blocks won. Blocks that lack a rival are left out of it.
    """
    lines = [
        "| table, events | method | blocks | AUROC | AUPRC | AUROC against the better | AUPRC against the better | won | s |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in sorted({(block.table, block.events) for block in results}):
        for method in methods:
            lines += _line(results, kind, method)
    return "\n".join(lines)


def _line(results: Results, kind: tuple[str, int], method: str) -> Iterator[str]:
    found = [one for block, one in results.items() if (block.table, block.events) == kind and method in one]
    if not found:
        return
    values = [one[method] for one in found]
    both = [one for one in found if all(rival in one for rival in RIVALS)]
    auroc = [one[method].auroc - max(one[rival].auroc for rival in RIVALS) for one in both]
    auprc = [one[method].auprc / max(one[rival].auprc for rival in RIVALS) - 1 for one in both]
    means = f"{fmean(one.auroc for one in values):.3f} | {fmean(one.auprc for one in values):.3f}"
    won = f"{sum(gain > 0 for gain in auroc)}/{len(auroc)}"
    gains = f"{_gain(auroc, '+.3f')} | {_gain([100 * one for one in auprc], '+.0f', ' %')}"
    seconds = f"{fmean(one.seconds for one in values):.1f}"
    yield f"| {kind[0]}, {kind[1]} | {method} | {len(values)} | {means} | {gains} | {won} | {seconds} |"


def _gain(values: list[float], form: str, unit: str = "") -> str:
    if not values:
        return "-"
    error = f" ± {stdev(values) / len(values) ** 0.5:{form.replace('+', '')}}" if len(values) > 1 else ""
    return f"{fmean(values):{form}}{error}{unit}"
