"""report.json from the stages' artifacts: only gathered here, computed elsewhere."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.runs.folder import Accepted, Against
from flows.study.cache_key import code_version, library_versions
from mgvae.cohort.build import Array, Cohort
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.evaluation.recommendation import barred_arms, recommend
from mgvae.report.schema import SCHEMA_VERSION
from mgvae.store.artifact import CLOCK, MANIFEST, Reference, digest

NOTHING = Against()


@dataclass(frozen=True)
class Passed:
    """One stage of the run: its artifact, how long it took, whether it was reused, and where it was made."""

    name: str
    reference: Reference
    seconds: float
    cached: bool
    ran: dict[str, str | None] | None


def run_id(config: CohortConfig, extract_sha256: str, reference: Accepted | None = None) -> str:
    """Return the run's name: the same exactly where extract, configuration, code, seed and the extract held against are."""
    content = [extract_sha256, config_sha256(config), code_version(), config.seed]
    return digest([*content, reference.artifact.sha256] if reference else content)[:12]


def config_sha256(config: CohortConfig) -> str:
    """Return the digest of the configuration, less the seed, which is named beside it, and where extract and stages are."""
    return digest(config.model_dump(mode="json", exclude={"extract", "seed", "stages"}))


def ran(folder: Path) -> dict[str, str | None] | None:
    """Return where an artifact was made, as its manifest tells: pool, worker and host; None where it does not."""
    try:
        told = _read(folder / MANIFEST)["ran"]
        return {key: None if told.get(key) is None else str(told[key]) for key in ("pool", "worker", "host")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def refused(config: CohortConfig, extract_sha256: str, folders: Mapping[str, Path], passed: Sequence[Passed]) -> dict[str, Any]:
    """Return report.json of an extract that failed validation."""
    validation = _read(folders["validate"] / "validation.json")
    broken = len(validation["failed"])
    return {
        **_head(config, extract_sha256, passed),
        "status": "invalid",
        "warnings": [f"The extract breaks {broken} of {validation['expectations']} expectations; nothing was trained on it."],
        "cohort": _cohort(config, validation, None, None),
        "validation": _validation(validation),
        **dict.fromkeys(("drift", "training", "synthetic", "evaluation", "recommendation")),
    }


def complete(
    config: CohortConfig,
    extract_sha256: str,
    folders: Mapping[str, Path],
    passed: Sequence[Passed],
    held: Against = NOTHING,
) -> dict[str, Any]:
    """Return report.json of a run whose stages all ended; ``held`` is what its extract was held against."""
    validation = _read(folders["validate"] / "validation.json")
    cohort, test = load_cohort(folders["split"])
    gates, evaluation = _read(folders["assess"] / "gates.json"), _read(folders["evaluate"] / "evaluation.json")
    failed = [gate["label"] for gate in gates if gate["verdict"] == "fail"]
    drift = _drift(folders, held.accepted)
    verdicts = {gate["verdict"] for gate in [*gates, *(drift["gates"] if drift else ())]}
    settings = config.evaluation
    recommended = recommend(evaluation, margin=settings.margin, barred=barred_arms(gates, settings.arms))
    return {
        **_head(config, extract_sha256, passed, held.accepted),
        "status": next(verdict for verdict in ("fail", "warn", "pass") if verdict in verdicts),
        "warnings": [*_drift_warnings(drift, held), *_warnings(cohort, evaluation, failed)],
        "cohort": _cohort(config, validation, cohort, test),
        "validation": _validation(validation),
        "drift": drift,
        "training": _training(folders),
        "synthetic": {
            "n": _synthetic_rows(folders["synthesise"]),
            "gates": gates,
            "marginals": _read(folders["assess"] / "marginals.json"),
        },
        "evaluation": evaluation_facts(evaluation, margin=settings.margin, calibration_fraction=settings.calibration_fraction),
        "recommendation": recommendation_facts(recommended),
    }


def _head(
    config: CohortConfig, extract_sha256: str, passed: Sequence[Passed], reference: Accepted | None = None
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "study": config.study,
        "title": config.title,
        "run_id": run_id(config, extract_sha256, reference),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "lineage": {
            "extract_sha256": extract_sha256,
            "config_sha256": config_sha256(config),
            "code_version": code_version(),
            "seed": config.seed,
            "artifacts": {stage.name: stage.reference.sha256 for stage in passed},
            "versions": {"python": platform.python_version(), **library_versions()},
            "machine": f"{platform.system()} {platform.machine()}",
            "stages": [
                {"name": stage.name, "seconds": round(stage.seconds, 2), "cached": stage.cached, "ran": stage.ran}
                for stage in passed
            ],
        },
    }


def _cohort(config: CohortConfig, validation: Mapping[str, Any], cohort: Cohort | None, test: Array | None) -> dict[str, Any]:
    counts: dict[str, Any] = dict.fromkeys(
        ("n", "events", "prevalence", "n_train", "n_test", "events_train", "events_test", "groups")
    )
    flow: list[dict[str, Any]] = [{"label": "Rows of the extract", "n": validation["rows"], "events": None}]
    if cohort is not None and test is not None:
        counts = {
            "n": len(cohort),
            "events": cohort.events,
            "prevalence": cohort.prevalence,
            "n_train": int((~test).sum()),
            "n_test": int(test.sum()),
            "events_train": int(cohort.event[~test].sum()),
            "events_test": int(cohort.event[test].sum()),
            "groups": len(set(cohort.group.tolist())),
        }
        flow = [{"label": step.label, "n": step.n, "events": step.events} for step in cohort.flow]
    missing = validation["missing"]
    return {
        **counts,
        "outcome": config.outcome.label or config.outcome.column,
        "horizon_days": config.horizon_days,
        "lookback_days": config.lookback_days,
        "flow": flow,
        "columns": [
            {
                "name": name,
                "label": column.label or name,
                "kind": column.kind,
                "unit": column.unit,
                "missing": missing.get(name),
            }
            for name, column in config.columns.features.items()
        ],
    }


def _validation(validation: Mapping[str, Any]) -> dict[str, Any]:
    return {key: validation[key] for key in ("passed", "expectations", "failed", "rows", "absent", "unlisted")}


def _training(folders: Mapping[str, Path]) -> dict[str, Any]:
    pretrained, tuned = (_history(folders[stage]) for stage in ("pretrain", "finetune"))
    common = ("epochs", "seconds", "heldout_elbo", "best_epoch", "history")
    path = [{key: candidate[key] for key in ("ewc_lambda", "heldout_elbo")} for candidate in tuned["candidates"]]
    return {
        "device": pretrained["device"],
        "parameters": pretrained["parameters"],
        "pretrain": {key: pretrained[key] for key in common},
        "finetune": {
            **{key: tuned[key] for key in common},
            "ewc_lambda": tuned["ewc_lambda"],
            "lambda_path": path if len(path) > 1 else [],
        },
    }


def _history(folder: Path) -> dict[str, Any]:
    """Return a training's history; its seconds are unknown where the clock, which no digest covers, is lost."""
    try:
        seconds = float(_read(folder / CLOCK)["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return {**_read(folder / "history.json"), "seconds": None}
    return {**_read(folder / "history.json"), "seconds": seconds}


def _warnings(cohort: Cohort, evaluation: Mapping[str, Any], failed: Sequence[str]) -> list[str]:
    out = [cohort.warning] if cohort.warning else []
    if failed:
        out.append(f"The synthetic cases failed: {', '.join(failed)}. They are kept out of the recommended model.")
    return out + [f"Arm {arm} could not be run: {reason}" for arm, reason in evaluation["unavailable"].items()]


def _drift(folders: Mapping[str, Path], reference: Accepted | None) -> dict[str, Any] | None:
    if reference is None:
        return None
    measured = _read(folders["drift"] / "drift.json")
    return {"reference": reference.to_json(), **{key: measured[key] for key in ("rows", "gates", "features", "columns")}}


def _drift_warnings(drift: Mapping[str, Any] | None, held: Against) -> list[str]:
    if drift is None:
        return [held.unjudged] if held.unjudged else []
    run = drift["reference"]["run_id"]
    failed, warned = ([gate for gate in drift["gates"] if gate["verdict"] == verdict] for verdict in ("fail", "warn"))
    out = []
    if failed:
        out.append(
            f"The extract has drifted from that of run {run}: {_told(failed)} This run is not to be promoted. If the change is "
            "real and wanted, accept it: run again with --set drift.against=nothing."
        )
    return [*out, f"The extract differs from that of run {run}: {_told(warned)}"] if warned else out


def _told(gates: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(f"{gate['label']}: {gate['detail']}" for gate in gates)


def _synthetic_rows(folder: Path) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(folder / "parents.parquet").num_rows)


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def evaluation_facts(evaluation: Mapping[str, Any], *, margin: float, calibration_fraction: float) -> dict[str, Any]:
    """Return the ``evaluation`` block of report.json from what `mgvae.evaluation.evaluate.evaluate` returns."""
    holdout = evaluation["holdout"]
    return {
        **{key: evaluation[key] for key in ("arms", "differences", "curves", "folds", "repeats")},
        "bootstrap": evaluation["bootstrap"]["n"],
        "unavailable": evaluation["unavailable"],
        "holdout": {} if holdout is None else holdout["arms"],
        "thresholds": _remarks(evaluation, margin=margin, calibration_fraction=calibration_fraction),
    }


def recommendation_facts(recommendation: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``recommendation`` block of report.json from what `mgvae.evaluation.recommendation.recommend` returns."""
    return {key: recommendation[key] for key in ("arm", "classifier", "reason", "rule", "difference", "barred", "threshold")}


def _remarks(evaluation: Mapping[str, Any], *, margin: float, calibration_fraction: float) -> dict[str, str | float]:
    contrasts, redrawn = evaluation["contrasts"], evaluation["bootstrap"]["redrawn"]
    remarks: dict[str, str | float] = {
        "Threshold, raw": "0.5; arm 'threshold': the prevalence of the fitting rows",
        "Threshold, offset and recalibrated": "the prevalence of the fitting rows",
        "Recalibration": f"intercept and slope on {calibration_fraction:.0%} of each training fold, held apart from every arm",
        "Margin in scaled Brier score": margin,
        "Arms and classifiers compared with no correction": contrasts["candidates"],
        "Intervals": "95 %, percentiles of a bootstrap of whole groups, the fitted models given",
    }
    if redrawn:
        remarks["Resamples without both classes, drawn again"] = redrawn
    return remarks
