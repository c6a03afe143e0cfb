"""The command `mgvae monitor`."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.allowed_paths import require_allowed
from flows.commands.options import OUT, RUNS, Debug, StoreOption
from flows.prefect_settings import configure_prefect


def monitor(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or the folder of its runs.")],
    out: OUT = RUNS,
    as_of: Annotated[
        str | None, typer.Option(metavar="DATE", help="Outcomes are known up to this day; else the day of the latest run.")
    ] = None,
    store: StoreOption = None,
    debug: Debug = False,
) -> None:
    """Follow the served model and the extracts: page, JSON, Prefect artifact.
    Performance by month of prediction, on patients whose outcome is known by now.
    """
    import pandas as pd

    from flows.runs.folder import LATEST
    from flows.runs.inspection import study_folder
    from flows.study.monitoring import monitor as gathered
    from flows.study.monitoring_artifact import show_monitoring
    from mgvae.errors import ConfigError
    from mgvae.report.monitoring import monitoring_page, sentence

    folder = study_folder(study, out)
    require_allowed(str(folder.resolve()), "STUDY")
    try:
        day = None if as_of is None else pd.Timestamp(as_of)
    except ValueError:
        raise ConfigError(f"--as-of must be a date such as 2026-01-31; got {as_of}.") from None
    found = gathered(folder, (folder / LATEST).resolve(), store, day)
    (folder / "monitoring.json").write_text(found.model_dump_json(indent=1), encoding="utf-8")
    (folder / "monitoring.html").write_text(monitoring_page(found), encoding="utf-8")
    configure_prefect(debug=False)
    typer.echo(sentence(found))
    typer.echo(f"Page: {folder / 'monitoring.html'}")
    typer.echo(show_monitoring(found))
