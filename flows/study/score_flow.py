"""Score today's patients with a study's champion, as the deployment mgvae-cohort/score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.states import Completed, Failed

from flows.allowed_paths import require_allowed, require_allowed_extract
from flows.redaction import redact_errors, unpickled
from flows.runs.guard import guarded
from flows.runs.serving import require_logged, serving_run, unfit_to_predict
from flows.study.scoring import score_extract
from mgvae.errors import ConfigError
from mgvae.prediction.output import check_output
from mgvae.prediction.predictor import load_model


@flow(name="mgvae-cohort", persist_result=False, validate_parameters=True)
@unpickled
def score_flow(
    study: str,
    patients: str,
    risks: str | None = None,
    out: str = "runs",
    explain: int = 0,
    meds: bool = False,
    model_version: str | None = None,
) -> State[dict[str, Any]]:
    """Score patients with the champion of a study; the log holds counts alone.

    The predictions are kept below ``<out>/<study>/scored`` until the outcomes are known.

    Args:
        study: the study's name, or a run folder.
        patients: path, glob or URL of today's patients, whose outcome is not read.
        risks: the file to write, .csv or .parquet, replaced each night; None: the kept predictions alone.
        out: folder of all runs.
        explain, meds: see `mgvae predict`.
        model_version: an updated version of the champion's model.

    Returns:
        A state with the record's counts; Failed, under the name Refused, where the patients or the model are not to be used.
    """
    with guarded(), redact_errors():
        for path, name in ((study, "study"), (out, "out"), *(((risks, "risks"),) if risks else ())):
            require_allowed(path, name)
        require_allowed_extract(patients)
        if not patients.strip():
            raise ConfigError("patients must name an extract: set MGVAE_PATIENTS and run make deploy again.")
        target = Path(risks).resolve() if risks else None
        if target is not None:
            check_output(target, force=True, meds=meds)
        run = serving_run(study, Path(out))
        predictor = load_model(run, version=model_version)
        require_logged(run, predictor.file)
        unfit = unfit_to_predict(run, predictor.file)
        if unfit is not None:
            return Failed(message=f"{unfit} Nothing was written.", name="Refused")
        located = patients if "://" in patients else str(Path(patients).resolve())
        found = score_extract(predictor, located, target, explain=explain, meds=meds, keep=run.resolve().parent)
        if found.record is None:
            rules = "; ".join(f"{rule.column} {rule.rule}" for rule in found.refused.failed[:5])
            return Failed(message=f"The patients of today are refused: {rules}. Nothing was written.", name="Refused")
        counts = found.record.counts
        message = (
            f"{counts.rows:,} patients scored by model {found.record.model_version}: {counts.alerts:,} alerts, "
            f"{counts.flagged:,} flagged."
        )
        get_run_logger().info(message)
        return Completed(message=message, data=found.record.model_dump(mode="json"))
