"""The `mgvae report` command: a run's report and the documents made from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.commands.options import Debug
from mgvae.errors import ConfigError, StoreError, reason_of

if TYPE_CHECKING:
    from mgvae.report.comparison import SideBySide
    from mgvae.report.schema import Report

PAGE = "report.html"


def report(
    words: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest; or compare RUN RUN ...; serve STUDY"),
    ],
    browse: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    pdf: Annotated[bool, typer.Option("--pdf", help="The report as PDF, by a Chromium on PATH.")] = False,
    paper: Annotated[str, typer.Option(metavar="SIZE", help="Of --pdf: a4 or letter.")] = "",
    export: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="tripod, probast, methods, chai, hti1, bundle or all; may be repeated."),
    ] = None,
    pccp: Annotated[bool, typer.Option("--pccp", help="The predetermined change control plan.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The file to write, or the folder of --export; see above."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    debug: Debug = False,
) -> None:
    """Say where a run's report is, make a document from it, or compare runs (mgvae report compare RUN RUN).

    Without an option: the paths, and which documents there are. --out is STUDY-RUN.pdf or the folder STUDY-RUN here if left
    out; a plan (--pccp) goes to the terminal then, and else to a .md or .html file. No document claims compliance with a rule.
    Runs are compared on the terminal, and as a page with --out FILE.html. mgvae report serve runs/nafld shows all runs
    of a study in the browser, to this machine alone, until Ctrl-C.
    """
    asked = [name for name, given in (("--pdf", pdf), ("--export", bool(export)), ("--pccp", pccp)) if given]
    if len(asked) > 1:
        raise ConfigError(f"{' and '.join(asked)}: must be asked for one at a time. Run mgvae report once for each.")
    if str(words[0]) == "compare":
        return _compare(words[1:], (*asked, *(["--open"] if browse else [])), out, force=force)
    if str(words[0]) == "serve":
        return _serve(words[1:], (*asked, *(["--out"] if out else [])), browse=browse)
    if len(words) > 1:
        raise ConfigError("Give one run folder; several stand side by side with mgvae report compare RUN RUN.")
    folder = _folder(words[0])
    if paper and asked != ["--pdf"]:
        raise ConfigError("--paper must come with --pdf: mgvae report RUN --pdf --paper letter.")
    if asked:
        _write_asked(folder, asked[0], export or [], out, paper, force=force)
    elif out is not None:
        raise ConfigError("--out must come with what to write: --pdf, --export KIND or --pccp.")
    elif not browse:
        _list_documents(folder)
    if browse:
        _open(folder)
    return None


def _write_asked(folder: Path, asked: str, export: list[str], out: Path | None, paper: str, *, force: bool) -> None:
    if asked == "--pccp":
        _write_plan(folder, out, force=force)
    elif asked == "--pdf":
        _write_pdf(folder, out, paper or "a4", force=force)
    else:
        _write_documents(folder, export, out, force=force)


def _folder(path: Path) -> Path:
    return path.parent if path.name in (PAGE, "report.json") else path


def _compare(given: list[Path], options: Sequence[str], out: Path | None, *, force: bool) -> None:
    from rich.console import Console

    from flows.commands.compare import print_comparison
    from mgvae.report.render import page

    if options:
        raise ConfigError(f"{options[0]} is for one run; mgvae report compare takes --out FILE.html.")
    runs = [_folder(path) for path in given]
    if len(runs) < 2:
        raise ConfigError("mgvae report compare needs two run folders or more, such as runs/nafld/3f2a runs/nafld/latest.")
    if out is not None:
        _check_file(out, (".html",), force=force)
    found = compare_runs(runs)
    print_comparison(found, Console())
    if out is not None:
        _write(out, page("comparison.html", found=found))


def compare_runs(runs: Sequence[Path]) -> SideBySide:
    """Return finished runs side by side, the first as the reference.

    Raises:
        ConfigError: one is no run folder.
        StoreError: one is damaged.
    """
    from flows.runs.folder import manifest_of
    from mgvae.report.comparison import side_by_side

    return side_by_side([_report_of(run) for run in runs], [manifest_of(run).config or {} for run in runs])


def _serve(studies: list[Path], options: Sequence[str], *, browse: bool) -> None:
    import webbrowser

    from flows.runs.report_server import server_of
    from flows.runs.study_server import StudyReports, address_of, check_study, free_port

    if options:
        raise ConfigError(f"{options[0]} is for one run; mgvae report serve takes --open.")
    if len(studies) != 1:
        raise ConfigError("mgvae report serve needs one study's folder, such as runs/nafld.")
    study, address = check_study(studies[0]), address_of(free_port())
    server = server_of(address, lambda hosts, prefix: StudyReports(study, hosts=hosts, prefix=prefix))
    typer.echo(f"{address}/\nFor this machine alone; the address holds a key. Ctrl-C ends it.")
    if browse:
        webbrowser.open(f"{address}/")
    server.run()


def _write(out: Path, text: str) -> None:
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out}: must be writable with space left; {reason_of(error)}.") from None
    typer.echo(str(out))


def _write_plan(run: Path, out: Path | None, *, force: bool) -> None:
    if out is not None:
        _check_file(out, (".md", ".html"), force=force)
    text = plan_of(run, as_page=out is not None and out.suffix == ".html")
    if out is None:
        typer.echo(text)
        return
    _write(out, text)


def _write_pdf(run: Path, out: Path | None, paper: str, *, force: bool) -> None:
    from flows.commands.documents import paper_of, print_page

    size = paper_of(paper)
    found = _report_of(run)
    file = out or Path(f"{found.study}-{found.run_id}.pdf")
    _check_file(file, (".pdf",), force=force)
    print_page(run / PAGE, file, size)
    typer.echo(str(file))


def _write_documents(run: Path, words: list[str], out: Path | None, *, force: bool) -> None:
    from flows.commands.documents import asked_documents, export_documents

    asked = asked_documents(words)
    found = _report_of(run)
    for path in export_documents(run, found, asked, out or Path(f"{found.study}-{found.run_id}"), force=force):
        typer.echo(str(path))


def _list_documents(run: Path) -> None:
    from flows.commands.documents import MEANS

    found = _report_of(run)
    typer.echo(f"{run / PAGE}\n{found.verdict.sentence}\n")
    typer.echo("In the browser: --open. As PDF: --pdf. Change control plan: --pccp. Documents, with --export KIND or all:")
    typer.echo("\n".join(f"  {kind:8} {text}" for kind, text in MEANS.items()))


def _open(run: Path) -> None:
    import webbrowser

    _report_of(run)
    page = (run / PAGE).resolve()
    if not webbrowser.open(page.as_uri()):
        typer.echo(f"No browser could be started; open {page} yourself.", err=True)


def _check_file(out: Path, suffixes: tuple[str, ...], *, force: bool) -> None:
    if out.suffix not in suffixes or not out.parent.is_dir():
        raise ConfigError(f"{out}: must be a {' or '.join(suffixes)} file in a folder that exists.")
    if out.exists() and not force:
        raise ConfigError(f"{out}: must not exist yet. Choose another name, or replace it with --force.")


def _report_of(run: Path) -> Report:
    """Return the report of a run folder.

    Raises:
        ConfigError: it is no run folder.
        StoreError: it is damaged.
    """
    from flows.runs.folder import AGAIN, manifest_of
    from mgvae.report.schema import read_report

    manifest_of(run)
    try:
        content = json.loads((run / "report.json").read_text(encoding="utf-8"))
        if not (run / PAGE).is_file():
            raise FileNotFoundError
    except (OSError, ValueError, RecursionError):
        raise StoreError(f"{run}: must hold a readable report.json and report.html. {AGAIN}") from None
    return read_report(content)


def plan_of(run: Path, *, as_page: bool) -> str:
    """Return the change control plan of a run, in Markdown or as a page.

    Raises:
        ConfigError: it is no run folder.
        StoreError: it is damaged.
    """
    from flows.runs.folder import finished_run
    from mgvae.evaluation.promotion import rule
    from mgvae.report.change_control import as_page as page
    from mgvae.report.change_control import change_control_plan
    from mgvae.results.numbers import FEW_EVENTS

    config = finished_run(run, needed=()).config
    found = _report_of(run)
    text = change_control_plan(found, config, {"Promotion": rule(config.promotion)}, fewest_events=FEW_EVENTS)
    return page(text, f"Change control plan · {found.title or found.study}") if as_page else text
