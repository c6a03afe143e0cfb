"""The commands `mgvae champion show`, `promote`, `accept` and `rollback`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.allowed_paths import require_allowed
from flows.commands.options import OUT, RUNS, Debug, StoreOption, allowed_store
from flows.prefect_settings import configure_prefect
from mgvae.store.open import AnyStore

if TYPE_CHECKING:
    from flows.runs.audit_log import Change

app = typer.Typer(
    name="champion",
    help="The run of a study whose model and predictions serve: who it is and why, and what a person decides of it.",
    no_args_is_help=True,
)
Study = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or the folder of its runs.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why. The audit log keeps it, with who and when (MGVAE_USER).")]
DONE = {
    "promoted": "became champion",
    "kept": "did not become champion",
    "refused": "was refused",
    "rolled_back": "came back",
    "cannot_judge": "could not be judged",
    "updated": "has an updated model",
    "accepted": "has an extract whose drift is accepted",
}


@app.command()
def show(
    study: Study,
    out: OUT = RUNS,
    log: Annotated[bool, typer.Option("--log", help="The whole audit log.")] = False,
    store: StoreOption = None,
    debug: Debug = False,
) -> None:
    """Print which run is champion, since when and why, and check it.
    Audit log, files and model are checked. Exit code 1 if they are damaged.
    """
    from flows.runs.inspection import inspect_champion
    from mgvae.errors import StoreError

    folder, kept = _located(study, out, store)
    found = inspect_champion(folder, kept)
    for change in found.changes if log else ():
        _print_change(change)
    if found.champion is not None:
        typer.echo(f"Champion of {folder.name}: run {found.champion.run_id}, since {found.champion.at}.")
        typer.echo(f"By {found.champion.who}. {found.champion.reason}")
        typer.echo(f"Predictions: {folder / 'champion' / 'predictions.parquet'}")
        typer.echo(f"Before: {found.before}; mgvae champion rollback returns to it." if found.before else "Before: none.")
        for line in _since_then(found.changes):
            typer.echo(line)
    elif not found.problems:
        none = "no run has been considered yet. See mgvae champion promote --help."
        typer.echo(f"{folder.name} has no champion: {'no run passed its gates yet.' if found.changes else none}")
    compared, wrong = _compared_with_prefect(folder) if found.changes else ("", None)
    problems = [*found.problems, *([wrong] if wrong else [])]
    if problems:
        raise StoreError("The champion is not what its audit log says:\n" + "\n".join(f"  {problem}" for problem in problems))
    if found.changes:
        typer.echo(f"Checked: {len(found.changes)} lines of the audit log, each with the hash of the one before; files; model.")
        typer.echo(compared)


@app.command()
def promote(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as runs/nafld/latest.")],
    reason: Reason,
    force: Annotated[bool, typer.Option("--force", help="Also where a gate failed.")] = False,
    store: StoreOption = None,
    debug: Debug = False,
) -> None:
    """Make a run champion, whatever its comparison with the present champion says.
    The audit log keeps who, when and why.
    """
    from flows.runs.champion import promote as make_champion

    require_allowed(str(run.resolve()), "RUN")
    _print_change(make_champion(run, reason=reason, force=force, store=store))
    _hold_head(run.resolve().parent)


@app.command()
def accept(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run that was refused because its extract drifted.")],
    reason: Reason,
    debug: Debug = False,
) -> None:
    """Accept that the extract of a run has drifted: the change is real and wanted.
    It is judged no more, and is the reference of the next one. Run the study on it again.
    """
    from flows.runs.accepted_drift import accept_drift

    require_allowed(str(run.resolve()), "RUN")
    _print_change(accept_drift(run, reason=reason))
    _hold_head(run.resolve().parent)


@app.command()
def rollback(study: Study, reason: Reason, out: OUT = RUNS, store: StoreOption = None, debug: Debug = False) -> None:
    """Return to the previous champion.
    The run that leaves does not become champion again by itself.
    """
    from flows.runs.champion import rollback as bring_back

    folder, _ = _located(study, out, store)
    _print_change(bring_back(folder, reason=reason, store=store))
    _hold_head(folder)


def _since_then(changes: Sequence[Change]) -> Iterator[str]:
    """Yield how often the hold-out has judged, and why the last night could not judge, if so."""
    use = next((use for one in reversed(changes) if (use := (one.comparison or {}).get("use"))), None)
    if use is not None:
        moved = " A quarter of them is replaced next." if use["next_window"] > use["window"] else ""
        yield (
            f"Judges: the patients of the last comparison have judged {use['median']:g} times (median), at most {use['most']}, "
            f"hold-out {use['window']}.{moved}"
        )
    if changes[-1].action == "cannot_judge":
        yield f"Run {changes[-1].run_id} of {changes[-1].at} could not be judged. {changes[-1].reason}"


def _compared_with_prefect(study: Path) -> tuple[str, str | None]:
    configure_prefect(debug=False)
    from flows.study.prefect_pages import compare_head

    return compare_head(study)


def _hold_head(study: Path) -> None:
    """Have Prefect hold the new head of the audit log, where a server answers."""
    configure_prefect(debug=False)
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    from flows.study.prefect_pages import show_head

    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):  # nobody waits at the terminal for a server that is away
        typer.echo(show_head(study))


def _located(study: str, out: Path, store: str | None) -> tuple[Path, AnyStore]:
    from flows.runs.inspection import study_folder

    require_allowed(str(out), "--out")
    folder = study_folder(study, out)
    require_allowed(str(folder.resolve()), "STUDY")
    return folder, allowed_store(folder.resolve().parent, store)


def _print_change(change: Change) -> None:
    before = f", after {change.previous}" if change.action in ("promoted", "rolled_back") and change.previous else ""
    typer.echo(f"{change.at}  Run {change.run_id} {DONE[change.action]}{before}. {change.who}: {change.reason}")
    if change.note:
        typer.echo(f"  {change.note}")
