"""The `mgvae build` command: event tables, or tables of visits, to the table that a study is made of."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.commands.options import Debug
from mgvae.config.attrition import AttritionStep


def build(
    cohort: Annotated[Path, typer.Argument(metavar="COHORT.yaml", help="A study with the section source or visits.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the study; beside COHORT.yaml if left out.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Build the extract of a study from OMOP or MEDS event tables.
    Writes extract, dictionary, cohort.yaml and MEDS labels; prints the attrition.
    """
    from flows.commands.terminal import reporting
    from flows.progress import reporter
    from flows.study.event_tables import built_folder, runnable
    from mgvae.config.source import load_source
    from mgvae.ehr.build import build_study

    if load_source(cohort) is None and out is None:
        console = Console(soft_wrap=True)
        console.print(f"Next: mgvae validate {escape(shlex.quote(str(runnable(cohort))))}", highlight=False)
        return

    with reporting(Console(stderr=True)):
        progress = reporter()
        progress.started("build")
        built = build_study(cohort, out or built_folder(cohort))
        progress.ended("build", cached=False)
    console = Console(soft_wrap=True)
    console.print(attrition_table(built.attrition))
    for remark in built.remarks:
        console.print(f"[yellow]Warning[/]: {escape(remark)}")
    last = built.attrition[-1]
    console.print(
        f"Wrote {last.rows:,} rows, {last.events:,} with the outcome, and {built.predictors:,} predictors from events to "
        f"{escape(str(built.folder))}.",
        highlight=False,
    )
    console.print(f"Next: mgvae validate {escape(shlex.quote(str(built.folder / 'cohort.yaml')))}", highlight=False)


def attrition_table(steps: tuple[AttritionStep, ...]) -> Table:
    """Return the table of what each step left."""
    table = Table(title="Attrition", title_justify="left")
    table.add_column("Step")
    for heading in ("Rows", "Subjects", "Outcomes"):
        table.add_column(heading, justify="right")
    for step in steps:
        label = escape(step.label) + (f"\n[dim]{escape(step.note)}[/]" if step.note else "")
        table.add_row(label, f"{step.rows:,}", f"{step.subjects:,}", f"{step.events:,}")
    return table
