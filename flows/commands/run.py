"""The `mgvae run` and `mgvae demo` commands: run a study, and print how it ended."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from flows.allowed_paths import require_allowed
from flows.commands.studies import check_studies, run_each
from flows.prefect_settings import configure_prefect
from flows.study.event_tables import runnable
from mgvae.config.budget import SETTINGS, Budget
from mgvae.config.studies import load_studies
from mgvae.config.study import CohortConfig, load_config
from mgvae.store.open import open_store

if TYPE_CHECKING:
    from mgvae.report.schema import Report

LINE_EVERY_SECONDS = 5.0  # where there is no terminal: fits of a small study take less, and would fill a log


def run_study(
    cohort: Path,
    *,
    out: Path,
    extract: str | None = None,
    store: str | None = None,
    seed: int | None = None,
    settings: list[str] | None = None,
    strict: bool = False,
    debug: bool = False,
    profile: bool = False,
    budget: Budget | None = None,
) -> int:
    """Run a study, or each of the section `studies`; print how it ended and where its report is; return the exit code.

    The arguments are those of `mgvae run`.
    """
    # refuse bad input before the slow imports
    settings = [*(SETTINGS[budget] if budget else ()), *(settings or ())]
    studies = load_studies(cohort)
    changes: dict[str, Any] = {"extract": extract, "seed": seed, "settings": tuple(settings), "strict": strict}
    if studies is None:
        built = runnable(cohort)  # once: the flow runs what was checked here
        state_budget(budget, load_config(built, **changes))
    else:
        require_allowed(str(cohort), "cohort")
        check_studies(cohort, studies, changes)
        out /= studies.name
    open_store(out, store)  # a URL that holds a secret must not become a parameter, which Prefect keeps
    configure_prefect(debug=debug)
    from flows.commands.terminal import reporting
    from flows.prefect_server import orchestrated

    given = {"extract": extract, "out": str(out), "seed": seed, "settings": settings, "store": store}
    console = Console(stderr=True)
    with reporting(console, lines=LINE_EVERY_SECONDS), orchestrated(prepare_flow):
        from flows.study.flow import cohort_flow
        from flows.study.outcome import result_of

        if studies is None:
            return _ended(result_of(cohort_flow, str(built), **given), profile=profile)
        ended = partial(_ended, profile=profile)

        def run(path: Path) -> dict[str, Any]:
            built = runnable(path)
            state_budget(budget, load_config(built, **changes))
            return result_of(cohort_flow, str(built), **given)

        return run_each(studies, out, run, ended)


def prepare_flow() -> None:
    """Import the flow and what Prefect imports for its first one; read the code of its stages, for their cache keys."""
    import fastapi.encoders  # noqa: F401

    from flows.study.cache_key import code_digest, code_version
    from flows.study.stages.registry import STAGES

    code_version()
    code_digest(*(stage.make.__module__ for stage in STAGES))


def _ended(result: dict[str, Any], *, profile: bool) -> int:
    """Print how a run ended, what it cost if asked for, and where its report is; return the exit code."""
    from mgvae.report.schema import read_report

    folder = Path(result["run"])
    report = read_report(json.loads((folder / "report.json").read_text(encoding="utf-8")))
    print_outcome(report)
    if profile:
        print_costs(report, Console())
    typer.echo(relative_to_here(folder.parent / "latest" / "report.html"))
    return int(result["exit_code"])


def state_budget(budget: Budget | None, config: CohortConfig) -> None:
    """Say on stderr what a budget does, with its effect on intervals and its time; nothing without a budget."""
    if budget is None:
        return
    from mgvae.evaluation.budget import statement
    from mgvae.evaluation.parallel import cores

    typer.echo(statement(budget, config, cores=cores()), err=True)


def print_outcome(report: Report) -> None:
    """Print status, verdict, warnings, recommendation and findings of a report."""
    from mgvae.report.overview import advice, finding_lines

    status = f"Status: {report.status}."
    unreliable = report.verdict.status == "unreliable"  # stands above every other word
    typer.echo(" ".join((report.verdict.sentence, status) if unreliable else (status, report.verdict.sentence)))
    for warning in report.warnings:
        typer.echo(f"Warning: {warning}")
    if report.recommendation:
        typer.echo(f"{advice(report)} {report.recommendation.reason}")
    for line in finding_lines(report.findings):
        typer.echo(line)


def print_costs(report: Report, console: Console) -> None:
    """Print what each stage of a run cost when it was made, as its lineage in report.json has it."""
    from rich.table import Table

    from mgvae.report.formatting import duration, mebibytes

    names = ("Wall", "Processor", "Peak memory", "Read", "Written")
    table = Table("Stage", *names, title="What each stage cost when it was made")
    for stage in report.lineage.stages:
        cost, name = stage.cost, f"{stage.name} (reused)" if stage.cached else stage.name
        if cost is not None:
            amounts = map(mebibytes, (cost.peak_mib, cost.read_bytes / 2**20, cost.written_bytes / 2**20))
            table.add_row(name, duration(cost.seconds), duration(cost.processor_seconds), *amounts)
        else:
            table.add_row(name, *[duration(None)] * len(names))
    console.print(table)


def relative_to_here(path: Path) -> str:
    """Return a path as a person types it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
