"""A plausible report.json for tests: shape of NAFLD, numbers from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.report_sample_cohort import sample_cohort, sample_drift
from tests.report_sample_evaluation import ARMS, METRICS, sample_evaluation
from tests.report_sample_explanations import sample_explanations, sample_subgroups
from tests.report_sample_stability import sample_instability, sample_learning_curve, sparse_learning_curve
from tests.report_sample_synthetic import sample_gates, sample_map, sample_marginal, sample_training

COLUMNS = (
    ("age", "Age", "continuous", "years", 0.0),
    ("male", "Sex", "binary", None, 0.0),
    ("weight", "Weight", "continuous", "kg", 0.273),
    ("height", "Height", "continuous", "cm", 0.181),
    ("bmi", "Body mass index", "continuous", "kg/m²", 0.283),
    ("hdl", "HDL cholesterol", "continuous", "mg/dl", 0.412),
    ("chol", "Total cholesterol", "continuous", "mg/dl", 0.402),
    ("sbp", "Systolic blood pressure", "continuous", "mmHg", 0.121),
    ("dbp", "Diastolic blood pressure", "continuous", "mmHg", 0.121),
    ("fib4", "FIB-4 index", "continuous", None, 0.563),
    ("visits", "Visits in the year before", "count", "visits", 0.0),
    ("smoke", "Smoking", "categorical", None, 0.31),
    ("diabetes", "Diabetes mellitus", "binary", None, 0.0),
    ("htn", "Hypertension", "binary", None, 0.0),
    ("heart_failure", "Heart failure", "binary", None, 0.0),
)

VERDICTS = {"pass": "passed", "warn": "warned", "fail": "failed"}
FINDING = {
    "code": "MGV203",
    "severity": "warning",
    "title": "Few events to train or to test on",
    "detail": "9 events to test on; at least 15 are wanted in each part.",
    "remedy": "Add events: more sites, more years, a longer horizon.",
    "domain": "participants",
    "muted": None,
}
MUTED = FINDING | {
    "code": "MGV205",
    "title": "An arm could not be run",
    "detail": "Arm vae: too few cases.",
    "muted": "a pilot",
}


def sample_report(*, seed: int = 0, arms: tuple[str, ...] = ARMS, columns: int = 25, status: str = "fail") -> dict[str, Any]:
    """Return a whole report; ``status`` decides the gates' verdicts."""
    rng = np.random.default_rng(seed)
    features = _columns(columns)
    return {
        "schema_version": 1,
        "study": "nafld",
        "title": "NAFLD cohort, Olmsted County: death within two years",
        "run_id": "20261123-141502-3f9c1a",
        "created_at": "2026-11-23T14:15:02Z",
        "status": status,
        "verdict": {"status": VERDICTS[status], "sentence": f"The run {VERDICTS[status]}."},
        "findings": [] if status == "pass" else [FINDING, MUTED],
        "warnings": []
        if status == "pass"
        else ["Weight, height and body mass index are missing in a quarter of the patients."],
        "cohort": sample_cohort(features),
        "validation": {
            "passed": True,
            "expectations": 148,
            "failed": [],
            "rows": 17549,
            "absent": [],
            "unlisted": ["case_seq"],
        },
        "drift": sample_drift(features, status),
        "training": sample_training(rng),
        "synthetic": {
            "n": 11189,
            "gates": sample_gates(status),
            "marginals": [sample_marginal(column, rng) for column in features],
            "map": sample_map(),
        },
        "evaluation": sample_evaluation(rng, arms),
        "recommendation": {
            "arm": "none",
            "classifier": "logistic_regression",
            "answer": "cannot_tell",
            "smallest_gain": {"metric": "auroc", "value": 0.023, "auroc": 0.023, "relevant": 0.02},
            "reason": "No arm beats no correction: the interval of the best candidate, MGVAE, includes no difference.",
            "rule": "Train with the arm whose paired AUROC difference has its lower limit above 0 and whose scaled Brier score "
            "is no worse than that of no correction by more than 0.005, after recalibration. No correction wins ties.",
            "difference": {"metric": "auroc", "value": 0.004, "low": -0.011, "high": 0.019}
            | {"arm": "mgvae", "classifier": "logistic_regression", "family_low": -0.016},
            "barred": {"mgvae": "a gate failed on the synthetic cases"} if status == "fail" else {},
            "threshold": {"variant": "recalibrated", "value": 0.021, "sensitivity": 0.741, "remark": "Cut at the prevalence."},
        },
        "explanations": sample_explanations(np.random.default_rng((seed, 7)), features, arms),
        "instability": sample_instability(arms),
        "learning_curve": sample_learning_curve(arms),
        "subgroups": sample_subgroups(np.random.default_rng((seed, 8)), arms),
        "lineage": _lineage(),
    }


def refused_report() -> dict[str, Any]:
    """Return the report of a refused extract: numbers unknown, nothing trained."""
    report = sample_report()
    cohort = dict.fromkeys(("n", "events", "prevalence", "n_train", "n_test", "events_train", "events_test", "groups"))
    facts = {"outcome": "Death within two years", "horizon_days": 730, "lookback_days": None, "flow": []}
    failed = [
        {"column": "bmi", "rule": "values between 10 and 80 kg/m²", "count": 412},
        {"column": "hdl", "rule": "the column exists", "count": None},
        {"column": "death_730d", "rule": "prevalence between 0.5 % and 6 %", "count": None},
    ]
    return report | {
        "status": "invalid",
        "verdict": {"status": "invalid", "sentence": "The extract is refused."},
        "findings": [],
        "warnings": ["The extract has 3,912 rows fewer than the last accepted one."],
        "cohort": cohort | facts | {"columns": [column | {"missing": None} for column in report["cohort"]["columns"]]},
        "validation": {
            "passed": False,
            "expectations": 148,
            "failed": failed,
            "rows": 13637,
            "absent": ["hdl"],
            "unlisted": ["HDL-C"],
        },
        "drift": None,
        "training": None,
        "synthetic": None,
        "evaluation": None,
        "recommendation": None,
        "explanations": None,
        "instability": None,
        "learning_curve": None,
        "subgroups": None,
        "lineage": report["lineage"] | {"artifacts": {}, "stages": [{"name": "validate", "seconds": 2.2, "cached": False}]},
    }


def sparse_report() -> dict[str, Any]:
    """Return a report of two arms, 26 events, no hold-out, many unknown numbers."""
    report = sample_report(seed=7, arms=("none", "mgvae"), columns=11, status="warn")
    nothing = {"value": None, "low": None, "high": None}
    scores = report["evaluation"]["arms"]["mgvae"]["hist_gradient_boosting"]
    scores["raw"] = dict.fromkeys(METRICS, nothing)
    del scores["offset"]
    report["evaluation"] |= {"holdout": {}, "curves": {}, "differences": {"mgvae": {"logistic_regression": {"auroc": nothing}}}}
    report["evaluation"]["thresholds"] = {}
    report["instability"] |= {"arms": report["instability"]["arms"][:1], "unavailable": {"mgvae": "Too few cases."}}
    report["instability"]["arms"][0] |= {"bands": report["instability"]["arms"][0]["bands"][:1], "slope": nothing}
    report["learning_curve"] = sparse_learning_curve()
    report["recommendation"]["difference"] = None
    report["training"]["pretrain"] |= {"history": [], "best_epoch": None, "heldout_elbo": None}
    report["training"]["finetune"] |= {"lambda_path": [], "ewc_lambda": 1.0}
    report["synthetic"]["gates"][0] |= {"value": None, "low": None, "high": None, "threshold": None}
    counts = {
        "n": 1151,
        "events": 26,
        "prevalence": 26 / 1151,
        "n_train": 863,
        "n_test": 288,
        "events_train": 19,
        "events_test": 7,
    }
    report["cohort"] |= counts | {
        "groups": None,
        "horizon_days": None,
        "flow": [{"label": "Rows of the extract", "n": 1151, "events": None}],
    }
    few = "Only 19 events to train on: intervals are wide, and the generator has little to learn from."
    return report | {"study": "actg320", "title": None, "warnings": [few], "drift": None}


def _columns(wanted: int) -> list[dict[str, Any]]:
    base = [dict(zip(("name", "label", "kind", "unit", "missing"), column, strict=True)) for column in COLUMNS[:wanted]]
    extra = [
        {
            "name": f"lab_{i:03d}",
            "label": f"Laboratory test {i}",
            "kind": "continuous",
            "unit": "U/l",
            "missing": round(0.9 * i / wanted, 3),
        }
        for i in range(len(base), wanted)
    ]
    return base + extra


def _lineage() -> dict[str, Any]:
    stages = ("validate", "split", "encode", "pretrain", "finetune", "synthesise", "assess", "evaluate", "report", "publish")
    return {
        "extract_sha256": "9b1f" * 16,
        "config_sha256": "04ac" * 16,
        "code_version": "0.1.0+3f9c1a2",
        "seed": 0,
        "artifacts": {stage: f"{i:02x}d7" * 16 for i, stage in enumerate(stages[:-1])},
        "versions": {"numpy": "2.4.1", "pandas": "3.1.0", "scikit-learn": "1.9.0", "torch": "2.13.0"},
        "machine": "x86_64, 2 cores, CPU",
        "stages": [
            {"name": stage, "seconds": 1.4 * i, "cached": i in (1, 2, 3), "cost": _cost(i) if i else None}
            for i, stage in enumerate(stages)
        ],
    }


def _cost(stage: int) -> dict[str, Any]:
    seconds = {"seconds": 1.4 * stage, "processor_seconds": 2.3 * stage}
    return seconds | {"peak_mib": 210.0 * stage, "read_bytes": 3 * stage, "written_bytes": 5 * stage}
