"""The `mgvae evaluate` command: a model on other patients with known outcomes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from flows.allowed_paths import require_allowed, require_allowed_extract
from flows.commands.options import RUNS, Debug
from flows.commands.predict import Model, Patients, Runs, Version, located, usable_model
from mgvae.errors import ConfigError, StoreError, reason_of

if TYPE_CHECKING:
    from mgvae.results.external import ExternalValidation

SHOWN = ("auroc", "auprc", "scaled_brier", "observed_expected", "calibration_intercept", "calibration_slope", "net_benefit")


class Update(StrEnum):
    """What of a model is updated."""

    intercept = "intercept"
    slope = "slope"
    refit = "refit"


def evaluate(
    model: Model,
    extract: Patients,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of evaluation.json and .html; else beside the study's runs.")
    ] = None,
    update: Annotated[
        Update | None, typer.Option(help="Make a new version of the model, learned from these patients; the old one stays.")
    ] = None,
    why: Annotated[str, typer.Option(metavar="TEXT", help="Why it is updated; the audit log keeps it.")] = "",
    model_version: Version = None,
    runs: Runs = RUNS,
    debug: Debug = False,
) -> None:
    """Validate the model of a run on other patients with known outcomes.
    Nothing is fitted unless --update says so. Exit code 2: the extract is refused.
    """
    for path, name in ((model, "RUN"), (str(out or runs), "--out"), (str(runs), "--runs")):
        require_allowed(path, name)
    require_allowed_extract(extract)
    if (update is None) != (not why.strip()):
        raise ConfigError("--update and --why must stand together: an update needs a reason, and a reason an update.")
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    predictor = usable_model(model, runs, console, version=model_version, anyway=True)
    from flows.commands.show import failed_table
    from flows.study.external import NewPatients, validate_externally

    patients = NewPatients(predictor, located(extract))
    if not patients.refused.passed:
        console.print(failed_table(patients.refused.failed, f"Refused: {len(patients.refused.failed)} rules broken"))
        raise typer.Exit(2)
    found = validate_externally(predictor, patients)
    base = out or _beside(predictor.run, f"{found.model_version}-{found.extract_sha256[:8]}")
    _write(base, found)
    _print(found, console)
    if update is not None:
        from flows.study.model_updates import update_model

        made = update_model(predictor, patients, update.value, why)
        short = f"+{made.version.rpartition('+')[2]}"
        console.print(f"Version {made.version} of the model is recorded; use it with --model-version {short}.")
    typer.echo(str(base / "evaluation.html"))


def _beside(run: Path | None, name: str) -> Path:
    if run is None or not run.is_dir():
        raise ConfigError("--out must name a folder where the model was read without its run.")
    return run.resolve().parent / "evaluations" / name


def _write(folder: Path, found: ExternalValidation) -> None:
    from mgvae.files import scratch_folder
    from mgvae.report.external_page import render_external

    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with scratch_folder(folder) as place:
            texts = {"evaluation.html": render_external(found), "evaluation.json": found.model_dump_json(indent=1)}
            for name, text in texts.items():
                (place / name).write_text(text, encoding="utf-8")
                (place / name).chmod(0o600)
                (place / name).replace(folder / name)
    except OSError as error:
        raise StoreError(f"{folder}: must be writable with space left; {reason_of(error)}.") from None


def _print(found: ExternalValidation, console: Console) -> None:
    from mgvae.report.external_page import verdict
    from mgvae.report.formatting import METRICS, measured

    headline, detail = verdict(found)
    console.print(f"[bold]{escape(headline)}.[/] {escape(detail)}")
    for name in SHOWN:
        estimate = found.scores["as it is"].get(name)  # type: ignore[call-overload]
        if estimate is not None:
            console.print(f"  {METRICS[name].label}: {measured(name, estimate)}")  # type: ignore[index, arg-type]
    if found.case_mix is not None:
        console.print(f"  Membership model's AUROC: {measured('auroc', found.case_mix.membership)}")
    for remark in found.remarks:
        console.print(f"[yellow]Warning[/]: {escape(remark)}")
