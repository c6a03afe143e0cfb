"""The `mgvae predict` command: risks of new patients."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from flows.allowed_paths import require_allowed, require_allowed_extract
from flows.commands.options import RUNS, Debug
from mgvae.errors import ConfigError

if TYPE_CHECKING:
    from flows.study.scoring import Scoring
    from mgvae.prediction.predictor import Predictor
    from mgvae.results.scoring import ScoringRecord

Model = Annotated[str, typer.Argument(metavar="RUN|STUDY", help="A run folder, or a study, whose champion predicts.")]
Patients = Annotated[str, typer.Argument(metavar="EXTRACT", help="CSV, Parquet, SPSS, SAS or Stata: path, glob or URL.")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Folder of the runs, where a study is named.")]
Version = Annotated[
    str | None, typer.Option("--model-version", metavar="VERSION", help="An updated version of the model, such as +1.")
]


def predict(
    model: Model,
    extract: Patients,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write: .csv or .parquet.")],
    explain: Annotated[int, typer.Option(metavar="N", help="Give each patient's N largest contributions (SHAP).")] = 0,
    meds: Annotated[bool, typer.Option("--meds", help="Write the MEDS prediction schema, Parquet.")] = False,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Time of the prediction, ISO; now if left out.")] = None,
    threshold: Annotated[float | None, typer.Option(metavar="RISK", help="Alert from this risk on.")] = None,
    model_version: Version = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the predictions beside the runs, for mgvae monitor.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse the file if any row breaks the dictionary.")] = False,
    anyway: Annotated[bool, typer.Option("--anyway", help="Predict though the model is not recommended.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    runs: Runs = RUNS,
    debug: Debug = False,
) -> None:
    """Predict the risks of new patients with the model of a run.
    Exit code 2: the extract is refused, or the model is not to be used.
    """
    from flows.study.scoring import score_extract
    from mgvae.prediction.output import check_output

    for path, name in ((model, "RUN"), (str(out), "--out"), (str(runs), "--runs")):
        require_allowed(path, name)
    require_allowed_extract(extract)
    if explain < 0 or (explain and meds):
        raise ConfigError("--explain must be 0 or more, and 0 with --meds, whose schema has no place for contributions.")
    check_output(out, force=force, meds=meds)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    predictor = usable_model(model, runs, console, version=model_version, anyway=anyway, threshold=threshold)
    if keep and predictor.run is None:
        raise ConfigError("--keep must know the study's folder: name the run or the study, not the model's file alone.")
    folder = predictor.run.resolve().parent if keep and predictor.run is not None else None
    scoring = score_extract(
        predictor, located(extract), out, explain=explain, meds=meds, at=moment(at), strict=strict, keep=folder
    )
    print_scoring(scoring, console)
    if scoring.record is None:
        raise typer.Exit(2)
    typer.echo(str(out))


def usable_model(
    named: str,
    runs: Path,
    console: Console,
    *,
    version: str | None = None,
    anyway: bool = False,
    threshold: float | None = None,
) -> Predictor:
    """Return the model to predict with; leave with exit code 2 where it is not to be used.

    Raises:
        ConfigError: there is no such run, study or version, or the threshold is no risk.
    """
    from flows.runs.serving import require_logged, serving_run, unfit_to_predict
    from mgvae.prediction.predictor import load_model

    run = serving_run(named, runs)
    found = load_model(run, version=version)
    require_logged(run, found.file)
    unfit = unfit_to_predict(run, found.file)
    if unfit is not None:
        console.print(f"[yellow]Warning[/]: {escape(unfit)}" if anyway else f"[bold red]Refused:[/] {escape(unfit)}")
        if not anyway:
            console.print("Nothing was written. To predict nevertheless, for research alone, add --anyway.")
            raise typer.Exit(2)
    if threshold is None:
        return found
    if not 0 < threshold < 1:
        raise ConfigError(f"--threshold must be a risk between 0 and 1; got {threshold:g}.")
    return found.with_threshold(threshold)


def located(extract: str) -> str:
    """Return an extract's path from the working folder, or its URL."""
    return extract if "://" in extract else str(Path(extract).absolute())


def moment(text: str | None) -> datetime | None:
    """Return the time that a text names, in UTC unless it names a zone.

    Raises:
        ConfigError: it names none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError("--at must be a time in ISO form, such as 2026-11-26 or 2026-11-26T06:00:00+01:00.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def print_scoring(scoring: Scoring, console: Console) -> None:
    """Print what came of a scoring: rules and counts, no patient's value."""
    from flows.commands.show import failed_table

    for remark in scoring.remarks:
        console.print(f"[yellow]Warning[/]: {escape(remark)}")
    if scoring.record is None:
        refused = scoring.refused
        console.print(failed_table(refused.failed, f"Refused: {len(refused.failed)} of {refused.expectations} rules broken"))
        console.print("Nothing was written.")
        return
    if scoring.broken.failed:
        title = f"Flagged rows: {len(scoring.broken.failed)} of {scoring.broken.expectations} rules broken"
        console.print(failed_table(scoring.broken.failed, title))
    console.print(sentence(scoring.record))


def sentence(record: ScoringRecord) -> str:
    """Return the counts of a scoring in a sentence."""
    counts = record.counts
    kinds = ", ".join(f"{kind} {rows:,}" for kind, rows in counts.flags.items())
    return (
        f"{counts.rows:,} patients scored by model {record.model_version}: {counts.alerts:,} alerts at a risk of "
        f"{record.threshold:.2%} or more, {counts.flagged:,} flagged{f' ({kinds})' if kinds else ''}."
    )
