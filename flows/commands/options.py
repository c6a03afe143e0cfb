"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.allowed_paths import require_allowed
from mgvae.store.open import SETTING, AnyStore, open_store

OUT = Annotated[Path, typer.Option(help="Folder of the runs.")]

StoreOption = Annotated[
    str | None,
    typer.Option(metavar="DIR|URL", help=f"Artifact store, such as s3://bucket/prefix; else {SETTING}, else OUT/.store."),
]

Strict = Annotated[bool, typer.Option("--strict", help="Refuse a study whose files have open '# review:' lines.")]

Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and log lines. They may quote patient data.")]

RUNS = Path("runs")


def allowed_store(out: Path, location: str | None) -> AnyStore:
    """Return the store that `StoreOption` names, or that of the runs below ``out``.

    Raises:
        ConfigError: the folder or the store lies outside the allowed paths, or cannot be opened.
    """
    require_allowed(str(out), "--out")
    store = open_store(out.resolve(), location)
    require_allowed(store.label, "--store")
    return store
