"""The `mgvae report` command: documents made from a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Debug
from mgvae.errors import ConfigError, StoreError, reason_of


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest.")],
    pccp: Annotated[bool, typer.Option("--pccp", help="The predetermined change control plan.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write, .md or .html; on the terminal if left out.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    debug: Debug = False,
) -> None:
    """Write a document from a run's settings and numbers.
    --pccp: how the model may change, by which rules and with which consequences.
    """
    if not pccp:
        raise ConfigError(
            "mgvae report must be told which document: --pccp. The report itself is the run folder's report.html."
        )
    if out is not None and (out.suffix not in (".md", ".html") or not out.parent.is_dir()):
        raise ConfigError(f"{out}: must be a .md or .html file in a folder that exists.")
    if out is not None and out.exists() and not force:
        raise ConfigError(f"{out}: must not exist yet. Choose another name, or replace it with --force.")
    text = plan_of(run, as_page=out is not None and out.suffix == ".html")
    if out is None:
        typer.echo(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out}: must be writable with space left; {reason_of(error)}.") from None
    typer.echo(str(out))


def plan_of(run: Path, *, as_page: bool) -> str:
    """Return the change control plan of a run, in Markdown or as a page.

    Raises:
        ConfigError: it is no run folder.
        StoreError: it is damaged.
    """
    from flows.runs.folder import finished_run
    from mgvae.cohort.build import FEW_EVENTS
    from mgvae.evaluation.promotion import rule
    from mgvae.report.change_control import as_page as page
    from mgvae.report.change_control import change_control_plan
    from mgvae.report.schema import read_report

    config = finished_run(run, needed=()).config
    found = read_report(json.loads((run / "report.json").read_text(encoding="utf-8")))
    text = change_control_plan(found, config, {"Promotion": rule(config.promotion)}, fewest_events=FEW_EVENTS)
    return page(text, f"Change control plan · {found.title or found.study}") if as_page else text
