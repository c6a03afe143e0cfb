"""The command `mgvae` and most of its subcommands."""

from __future__ import annotations

import io
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from flows.commands.audit import app as audit
from flows.commands.build import build
from flows.commands.cache import app as cache
from flows.commands.champion import app as champion
from flows.commands.evaluate import evaluate
from flows.commands.land import land
from flows.commands.monitor import monitor
from flows.commands.options import OUT, Debug, StoreOption, Strict
from flows.commands.paper import paper
from flows.commands.predict import predict
from flows.commands.process import rare_collections, sigterm_as_exit
from flows.commands.report import report as document
from flows.commands.run import relative_to_here, run_study
from flows.commands.simulate import simulate
from flows.redaction import redacted_message
from flows.study.event_tables import runnable
from mgvae.config.budget import Budget
from mgvae.config.studies import load_studies
from mgvae.config.study import load_config
from mgvae.errors import ConfigError, MGVAEError

if TYPE_CHECKING:
    from mgvae.report.schema import Report

app = typer.Typer(
    name="mgvae",
    help="Study rare clinical outcomes: validate an extract, synthesise rare cases, measure honestly whether they help.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(build)
app.command()(evaluate)
app.command()(land)
app.command()(monitor)
app.command()(paper)
app.command()(predict)
app.command(name="report")(document)
app.command()(simulate)
app.add_typer(audit)
app.add_typer(cache)
app.add_typer(champion)
USAGE_ERROR: Any = typer.BadParameter.__base__  # typer's own class in recent versions, click's in earlier ones
INTERRUPTED = 130
CohortPath = Annotated[Path, typer.Argument(metavar="COHORT.yaml", help="The study's configuration.")]
Extract = Annotated[str | None, typer.Option(help="Path, glob or URL of an extract, instead of the configured one.")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"mgvae-cohort {version('mgvae-cohort')}")
        raise typer.Exit


@app.callback()
def _options(
    asked: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options of the command itself."""


@app.command()
def init(
    extract: Annotated[
        str | None, typer.Argument(metavar="EXTRACT", help="CSV, Parquet, SPSS, SAS or Stata: path, glob or URL.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="NAME", help="The outcome's column, guessed if left out; with --omop, a condition.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(metavar="VALUE", help="The value that is the event; the rarest if left out.")
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="COLUMN", help="The date at which the prediction is made.")
    ] = None,
    omop: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="OMOP tables, instead of EXTRACT: a folder, or duckdb:// or postgresql://."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the files.")] = Path(),
    force: Annotated[bool, typer.Option("--force", help="Replace cohort.yaml and dictionary.yaml that are there.")] = False,
    debug: Debug = False,
) -> None:
    """Draft cohort.yaml and dictionary.yaml from an extract.
    Lines that say review are for a person to decide.
    """
    from flows.commands.init import init as write_draft
    from flows.commands.init import init_source, print_draft

    if (extract is None) == (omop is None):
        raise ConfigError("Give EXTRACT, or --omop with the folder of OMOP tables.")
    if omop is not None:
        init_source(omop, out, outcome=outcome, force=force, console=Console())
        return
    assert extract is not None  # noqa: S101 - one of both is given
    print_draft(write_draft(extract, out, outcome=outcome, event=event, force=force, as_of=as_of), extract, out, Console())


@app.command()
def run(
    cohort: CohortPath,
    extract: Extract = None,
    out: OUT = Path("runs"),
    store: StoreOption = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the configured one.")] = None,
    settings: Settings = None,
    strict: Strict = False,
    profile: Annotated[bool, typer.Option("--profile", help="Print what each stage cost: time, memory, bytes.")] = False,
    budget: Annotated[Budget | None, typer.Option(help="How much the evaluation computes; --set still counts.")] = None,
    debug: Debug = False,
) -> None:
    """Run a study, or each of the section studies, from its extract to its report.
    Exit code 0: all gates pass; 2: a gate or the validation failed; 1: error.
    """
    given: dict[str, Any] = {"extract": extract, "store": store, "seed": seed, "settings": settings}
    raise typer.Exit(run_study(cohort, out=out, **given, strict=strict, debug=debug, profile=profile, budget=budget))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the copy and of its runs.")] = Path("mgvae-demo"),
    settings: Settings = None,
    debug: Debug = False,
) -> None:
    """Copy the study that ships to a folder, and run it there.
    Death within 2 years among 15,569 patients; takes minutes. Exit code as of run.
    """
    from flows.commands.demo import copy_study

    cohort = copy_study(out)
    Console(stderr=True, soft_wrap=True).print(f"The study is {escape(relative_to_here(cohort))}.", highlight=False)
    raise typer.Exit(run_study(cohort, out=out / "runs", settings=settings, debug=debug))


@app.command()
def validate(
    cohort: CohortPath, extract: Extract = None, settings: Settings = None, strict: Strict = False, debug: Debug = False
) -> None:
    """Check an extract against the data dictionary.
    Nothing is trained or written. Exit code 2 if it fails.
    """
    from flows.commands.validate import validate as check

    studies, codes = load_studies(cohort), [0]
    for path in [cohort] if studies is None else studies.files.values():
        config = load_config(runnable(path), settings=tuple(settings or ()), extract=extract, strict=strict)
        codes.append(check(config, Console()))
    raise typer.Exit(max(codes))


@app.command()
def show(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest.")], debug: Debug = False
) -> None:
    """Print the numbers of a run's report."""
    from flows.commands.show import show as print_report

    print_report(_report_of(run), Console())


@app.command()
def gates(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest.")],
    audit: Annotated[
        bool, typer.Option("--audit", help="Attack with shadow generators too; trains them, takes minutes.")
    ] = False,
    shadows: Annotated[int, typer.Option(metavar="K", help="With --audit: how many, 4 to 256.")] = 16,
    store: StoreOption = None,
    debug: Debug = False,
) -> None:
    """Print the gates on a run's synthetic cases, and why those that do not pass do not.
    Exit code 2 if one failed.
    """
    from flows.commands.show import show_gates

    report, found = _report_of(run), None
    if audit:
        from flows.study.shadow_audit import shadow_audit

        found = shadow_audit(run.parent if run.name == "report.json" else run, shadows=shadows, store=store)
    show_gates(report, Console())
    if found is not None:
        Console(soft_wrap=True).print(escape(f"Audit. {found.sentence}"), highlight=False)
    if report.synthetic is not None and any(gate.verdict == "fail" for gate in report.synthetic.gates):
        raise typer.Exit(2)


def _report_of(run: Path) -> Report:
    from mgvae.report.schema import read_report

    path = run if run.name == "report.json" else run / "report.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Give a run folder, such as runs/nafld/latest.") from None
    except (OSError, ValueError, RecursionError):
        raise ConfigError(f"{path}: must be a readable report.json. Run the study again.") from None
    return read_report(content)


@app.command()
def generate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest.")],
    n: Annotated[int, typer.Option("--n", metavar="N", help="How many cases.")],
    out: Annotated[Path, typer.Option(metavar="FILE.parquet", help="The file to write.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    store: StoreOption = None,
    debug: Debug = False,
) -> None:
    """Make further synthetic cases with the model of a finished run.
    Not anonymous: training material inside the study team.
    """
    from flows.study.generate import check_order
    from flows.study.generate import generate as make

    check_order(n=n, out=out, seed=seed, force=force)  # before torch is imported
    status = make(run, n=n, out=out, seed=seed, store=store)
    console = Console(stderr=True, soft_wrap=True)
    if status == "fail":
        console.print("[yellow]Warning[/]: a gate of this run failed; keep these cases out of the recommended model.")
    console.print("Not anonymous: training material for inside the study team.")
    typer.echo(relative_to_here(out))


def main() -> None:
    """Run the command; print an error as one message on stderr, with exit code 1.
    A terminal that lacks a character gets another in its place.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        with sigterm_as_exit(), rare_collections():
            code = app(prog_name="mgvae", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if "--debug" in sys.argv and not isinstance(error, USAGE_ERROR):
            error.__suppress_context__ = False  # show what was redacted as well
            raise
        _print_error(error)
        raise SystemExit(1) from None
    if code == INTERRUPTED:
        kept = " Finished stages are kept; the same command goes on from there." if sys.argv[1:2] == ["run"] else ""
        Console(stderr=True).print(f"Stopped.{kept}")
    raise SystemExit(code)


def _print_error(error: Exception) -> None:
    if isinstance(error, USAGE_ERROR):
        message, command = error.format_message(), error.ctx.command_path if error.ctx else "mgvae"
        ended = message if message.endswith((".", "?")) else f"{message}."
        text = message and f"{ended} Try '{command} --help'."  # without a command, the help was printed instead
    else:
        text = str(error) if isinstance(error, MGVAEError) else redacted_message(error)
    if text:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]Error:[/] {escape(text)}", highlight=False)


if __name__ == "__main__":
    main()
