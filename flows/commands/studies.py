"""Run the studies of a section `studies` in turn, and compare them on a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from flows.study.event_tables import runnable
from mgvae.config.source import load_source
from mgvae.config.studies import Studies, check_outcomes
from mgvae.config.study import CohortConfig, load_config
from mgvae.errors import ConfigError, MGVAEError

PAGE = "comparison.html"


def check_studies(cohort: Path, studies: Studies, changes: Mapping[str, Any]) -> None:
    """Check the configuration of every study before the first one runs.

    Args:
        cohort: where they stand, for the message.
        studies: their files.
        changes: further arguments of `load_config`.
    Raises:
        ConfigError: one is wrong; the message names it.
    """
    configs: dict[str, CohortConfig] = {}
    for name, path in studies.files.items():
        try:
            if load_source(path) is None:  # event tables are built when their turn comes
                configs[name] = load_config(runnable(path), **changes)
        except ConfigError as error:
            raise ConfigError(f"{cohort}: studies.{name}: {error}") from None
    check_outcomes(cohort, configs)


def run_each(studies: Studies, out: Path, run: Callable[[Path], dict[str, Any]], ended: Callable[[dict[str, Any]], int]) -> int:
    """Run each study; print how it ended; write the page that compares them; return the exit code.

    A study that cannot run does not stop the others.

    Args:
        studies: their files.
        out: folder of their runs, also of the page.
        run: runs the study of a file and returns the flow's result.
        ended: prints how a run ended and returns its exit code.
    Returns:
        1 if a study could not run, else 2 if one was refused or failed a gate, else 0.
    """
    codes, folders = [], []
    for name, path in studies.files.items():
        typer.echo(f"Study {name}.")
        try:
            result = run(path)
        except MGVAEError as error:
            typer.echo(f"Error: {error}", err=True)
            codes.append(1)
            continue
        codes.append(ended(result))
        folders.append(Path(result["run"]))
    if len(folders) > 1:
        from flows.commands.report import compare_runs
        from mgvae.report.render import page

        places = tuple(f"{folder.parent.name}/{folder.name}/report.html" for folder in folders)
        text = page("comparison.html", found=replace(compare_runs(folders), reports=places))
        (out / PAGE).write_text(text, encoding="utf-8")
        typer.echo(str(out / PAGE))
    return 1 if 1 in codes else max(codes)
