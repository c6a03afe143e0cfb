"""The `mgvae simulate` command: write a simulated study whose true risks are known."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from flows.commands.options import Debug
from mgvae.errors import ConfigError, nearest

WORLDS = ("autism",)


def simulate(
    world: Annotated[str, typer.Argument(metavar="WORLD", help="What is simulated: autism.")],
    n: Annotated[int, typer.Option("--n", metavar="N", help="How many children.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the files.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    prevalence: Annotated[float, typer.Option(metavar="SHARE", help="Mean true risk.")] = 0.02,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier simulation there.")] = False,
    debug: Debug = False,
) -> None:
    """Simulate an extract of 2,000 columns with a known true risk.
    Writes extract.parquet, dictionary.yaml, cohort.yaml and truth.parquet.
    """
    if world not in WORLDS:
        raise ConfigError(f"WORLD must be one of {', '.join(WORLDS)}; got '{world}'.{nearest(world, WORLDS)}")
    from flows.commands.terminal import reporting
    from flows.progress import reporter
    from mgvae.simulation.write import write_study

    with reporting(Console(stderr=True)):
        progress = reporter()
        progress.started("simulate")
        events = write_study(
            out, n, seed=seed, prevalence=prevalence, force=force, advance=lambda done: progress.advanced(done, n)
        )
        progress.ended("simulate", cached=False)
    console = Console(soft_wrap=True)
    console.print(f"Wrote {n:,} children, {events:,} with autism ({events / n:.2%}), to {escape(str(out))}.", highlight=False)
    console.print(f"Next: mgvae validate {escape(shlex.quote(str(out / 'cohort.yaml')))}", highlight=False)
