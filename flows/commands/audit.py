"""The command `mgvae audit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.allowed_paths import require_allowed
from flows.commands.options import Debug

app = typer.Typer(name="audit", help="Check the audit log of a study's champions.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the name of the one command below."""


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a study's runs, or a copy of it.")],
    head: Annotated[
        str | None, typer.Option(metavar="LINES:SHA256", help="A head noted elsewhere, such as in Prefect's artifact.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Check log, manifests and reports by the folder alone.
    No store and no server is needed. Exit code 1 if something was changed.
    """
    from flows.runs.audit_anchor import mismatch, verify
    from flows.runs.folder import AuditHead
    from mgvae.errors import StoreError

    require_allowed(str(folder.resolve()), "FOLDER")
    noted = None if head is None else AuditHead.parsed(head)
    found = verify(folder)
    problems = list(found.problems)
    if noted is not None and (wrong := mismatch(folder, noted, holder="--head")):
        problems.append(wrong)
    if problems:
        raise StoreError("The audit log is not as it was written:\n" + "\n".join(f"  {problem}" for problem in problems))
    typer.echo(f"Checked: {found.head.lines} lines of the audit log, each with the hash of the one before; their runs' files.")
    typer.echo(f"{found.manifests} manifests hold earlier heads, the latest that of line {found.anchored}.")
    typer.echo(f"Head: {found.head.text}. Compare it with what Prefect or a person noted: --head.")
