"""The `mgvae land` command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from flows.commands.options import Debug
from flows.inbox.folder import SETTING
from flows.prefect_settings import configure_prefect
from mgvae.errors import ConfigError

if TYPE_CHECKING:
    from flows.inbox.landing import Landing

COHORT_SETTING = "MGVAE_COHORT"
HERE = Path("cohort.yaml")


def land(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A CSV or Parquet file, or a folder of parts. It is copied.")],
    cohort: Annotated[Path, typer.Option(metavar="COHORT.yaml", envvar=COHORT_SETTING, help="The study.")] = HERE,
    inbox: Annotated[Path, typer.Option(metavar="DIR", envvar=SETTING, help="The inbox.")] = Path("inbox"),
    debug: Debug = False,
) -> None:
    """Put a valid extract into the inbox and notify the Prefect server.
    Exit code 2 if it fails validation.
    """
    from flows.inbox.landing import land as put

    if cohort == HERE and not HERE.is_file():
        raise ConfigError(
            f"mgvae land must know the study: there is no cohort.yaml here. Give --cohort COHORT.yaml, or set {COHORT_SETTING}."
        )
    landing = put(file, cohort=cohort, inbox=inbox)
    console = Console(soft_wrap=True)
    if landing.result is not None and not landing.result.passed:
        from flows.commands.show import failed_table

        failed = landing.result.failed
        Console().print(failed_table(failed, f"Failed: {len(failed)} of {landing.result.expectations} expectations"))
        console.print("Nothing has landed. Fix the extract, or, where the data are right, the data dictionary.")
        raise typer.Exit(2)
    if not landing.new:
        console.print(f"Already in the inbox; nothing to do: {escape(str(landing.path))}", highlight=False)
        return
    typer.echo(str(landing.path))
    _notify_server(console, landing, debug=debug)


def _notify_server(console: Console, landing: Landing, *, debug: bool) -> None:
    configure_prefect(debug=debug)
    from flows.inbox.event import EVENT, announce

    status, error = announce(landing)
    if status == "sent":
        console.print(f"Event {EVENT} sent.", highlight=False)
    elif status == "no server":
        console.print("No event sent: no Prefect server is configured (PREFECT_API_URL). The next run takes the extract.")
    else:
        Console(stderr=True, soft_wrap=True).print(
            f"[yellow]Warning[/]: the extract has landed, but no event was sent: the server in PREFECT_API_URL did not take it "
            f"({error}). The nightly run takes the extract all the same.",
            highlight=False,
        )
