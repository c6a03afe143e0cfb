"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mgvae.store.open import SETTING

OUT = Annotated[Path, typer.Option(help="Folder of the runs.")]

StoreOption = Annotated[
    str | None,
    typer.Option(metavar="DIR|URL", help=f"Artifact store, such as s3://bucket/prefix; else {SETTING}, else OUT/.store."),
]

Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks and log lines. They may quote patient data.")]

RUNS = Path("runs")
