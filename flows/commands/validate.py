"""The `mgvae validate` command: check an extract, print what it breaks and what was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.markup import escape

from flows.commands.show import failed_table
from mgvae.cohort.build import Cohort, build_cohort, few_events
from mgvae.cohort.split import holdout
from mgvae.config.study import CohortConfig
from mgvae.errors import OutcomeError
from mgvae.evaluation.measures.censoring import censoring, weighted
from mgvae.extract import read
from mgvae.report.formatting import on_censoring
from mgvae.reproducibility import derive
from mgvae.results.findings import Finding, unreliable, with_muted
from validation.checks import validate as check
from validation.extract_findings import extract_findings

TONES = {"info": "blue", "warning": "yellow", "severe": "red"}


def validate(config: CohortConfig, console: Console) -> int:
    """Print whether the extract of a study may be trained on; return the exit code.

    Raises:
        DataError: the extract cannot be read, or no cohort can be built from it.
    """
    table = read.read_extract(config)
    for remark in table.remarks:
        console.print(f"[yellow]Warning[/]: {escape(remark)}")
    result = check(table.frame, table.unreadable, config)
    if not result.passed:
        console.print(failed_table(result.failed, f"Failed: {len(result.failed)} of {result.expectations} expectations"))
        return 2
    cohort = build_cohort(config, table.frame)
    cohort = weighted(cohort, np.zeros(len(cohort), dtype=bool))
    findings = (*extract_findings(config, table.frame, cohort), *_few_events(config, cohort))
    counted = with_muted(findings, config.findings.mute)
    severe = unreliable(counted)
    console.print(
        ("[red]Not to be relied on[/] as it stands: see the severe findings. " if severe else "[green]Passed[/]: ")
        + f"{result.expectations} expectations {'hold ' if severe else ''}on {result.rows:,} rows; {len(cohort):,} eligible "
        f"subjects, {cohort.events:,} events ({cohort.prevalence:.2%})."
    )
    weights = censoring(cohort)
    if weights is not None:
        console.print(on_censoring(weights))
    if cohort.warning:
        console.print(f"[yellow]Warning[/]: {escape(cohort.warning)}")
    _print_findings(counted, console)
    return 0


def _few_events(config: CohortConfig, cohort: Cohort) -> tuple[Finding, ...]:
    try:
        test = holdout(cohort, config.split, seed=derive(config.seed, "split"))
    except OutcomeError:  # no hold-out can be drawn; a run says why
        return ()
    few = few_events(int(cohort.event[~test].sum()), int(cohort.event[test].sum()))
    return (few,) if few else ()


def _print_findings(findings: Sequence[Finding], console: Console) -> None:
    for one in findings:
        tone, state = ("dim", f"muted: {one.muted}") if one.muted else (TONES[one.severity], one.severity)
        rest = "" if one.muted else f" {one.remedy}"
        text = f"[{tone}]{one.code} {escape(one.title)}[/] ({escape(state)}). {escape(one.detail)}{escape(rest)}"
        console.print(text, soft_wrap=True, highlight=False)
