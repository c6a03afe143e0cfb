"""The `mgvae paper` command: print the tables of an experiment."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from flows.commands.options import Debug
from flows.prefect_settings import configure_prefect

MEASURES = {"balanced_accuracy": "balanced accuracy", "g_mean": "G-mean", "minority_recall": "minority recall"}
METHOD = "MGVAE"
STAGES = ("pretrain", "generate", "classify")


def paper(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="digits, mnist, fashion-mnist, celeba, musk, isolet or water-quality.")
    ],
    rho: Annotated[int, typer.Option(help="Imbalance that images are given: 600 or 100. Tables keep their own.")] = 600,
    seeds: Annotated[int, typer.Option(metavar="N", help="How often it is repeated, with seeds 0, 1, ...")] = 3,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the files as published, or the one above. Digits need none.")
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            help="Of tables: rows (the first of each class are the test part, as published) or groups (no molecule "
            "or speaker on two sides)."
        ),
    ] = "rows",
    arm: Annotated[list[str] | None, typer.Option(metavar="ARM", help="Only this arm; may be repeated.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A first look: fewer rows and steps; the numbers mean little.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Write every outcome there too.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of images: draw translations by three arms with seed 0, with their numbers, there."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Repeat an experiment of the paper.
    Fifteen ways to treat the imbalance, judged on real test rows.
    """
    configure_prefect(debug=debug)
    from flows.commands.terminal import reporting
    from flows.paper_flow import check_order, paper_flow
    from flows.prefect_server import orchestrated

    order: dict[str, Any] = {"dataset": dataset, "rho": rho, "seeds": seeds, "split": split, "arms": arm}
    order |= {name: None if path is None else str(path) for name, path in (("data", data), ("pictures", pictures))}
    check_order(**order)  # before a server is started
    with reporting(Console(stderr=True), lines=0.0), orchestrated():
        result = paper_flow(**order, quick=quick, out=None if out is None else str(out))
    console = Console()
    print_result(result, console)
    if pictures is not None:
        console.print(f"Pictures and their numbers: {pictures}", highlight=False, markup=False, soft_wrap=True)


def print_result(result: dict[str, Any], console: Console) -> None:
    """Print what was compared, the measures and the costs."""
    from mgvae.paper.experiment import ARMS  # imports torch

    about = result["about"]
    for name in ("source", "split", "thinned"):
        console.print(f"{name.capitalize()}: {about[name]}.", highlight=False, markup=False)
    for part, counts in about["rows"].items():
        console.print(f"Rows for {part}: {', '.join(map(str, counts))}", highlight=False, markup=False)
    if result["quick"]:
        console.print("A first look (--quick): fewer rows and steps than the experiment has.")
    by_arm: dict[str, list[dict[str, Any]]] = {}
    for outcome in result["outcomes"]:
        by_arm.setdefault(ARMS[outcome["arm"]], []).append(outcome)
    console.print(_measures(result, by_arm))
    if result["seeds"] > 1 and METHOD in by_arm:
        console.print(_differences(by_arm))
    console.print(_costs(by_arm))


def _measures(result: dict[str, Any], by_arm: dict[str, list[dict[str, Any]]]) -> Table:
    seeds = result["seeds"]
    spread = f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "seed 0"
    table = _table(f"{result['dataset']}, {spread}", *MEASURES.values())
    for arm, outcomes in by_arm.items():
        table.add_row(arm, *(mean_and_spread([one["measures"][name] for one in outcomes]) for name in MEASURES))
    return table


def _differences(by_arm: dict[str, list[dict[str, Any]]]) -> Table:
    title = "Balanced accuracy of MGVAE less that of the other, of the same seed: mean ± standard error"
    table = _table(title, "difference", "majority recall")
    ours = _by_seed(by_arm[METHOD], "balanced_accuracy")
    for arm, outcomes in by_arm.items():
        theirs = _by_seed(outcomes, "balanced_accuracy")
        gains = [ours[seed] - theirs[seed] for seed in sorted(ours)]
        error = statistics.stdev(gains) / len(gains) ** 0.5
        difference = "" if arm == METHOD else f"{statistics.mean(gains):+.3f} ± {error:.3f}"
        table.add_row(arm, difference, mean_and_spread([one["measures"]["majority_recall"] for one in outcomes]))
    return table


def _table(title: str, *heads: str) -> Table:
    return Table(Column("", no_wrap=True), *heads, box=SIMPLE, title=title, title_justify="left")


def _by_seed(outcomes: list[dict[str, Any]], measure: str) -> dict[int, float]:
    return {one["seed"]: one["measures"][measure] for one in outcomes}


def _costs(by_arm: dict[str, list[dict[str, Any]]]) -> Table:
    table = _table("Mean seconds, highest memory", *(f"{stage}, s / MiB" for stage in STAGES))
    for arm, outcomes in by_arm.items():
        costs = [[one["costs"][stage] for one in outcomes if stage in one["costs"]] for stage in STAGES]
        table.add_row(arm, *(_cost(each) for each in costs))
    table.caption = "Arms that begin with the same pre-training name the same cost; it was paid once."
    return table


def _cost(costs: list[dict[str, float]]) -> str:
    if not costs:
        return "-"
    return f"{statistics.mean(one['seconds'] for one in costs):.1f} / {max(one['peak_mib'] for one in costs):,.0f}"


def mean_and_spread(values: list[float]) -> str:
    """Return ``mean ± standard deviation``; the one value alone where there is one."""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"
