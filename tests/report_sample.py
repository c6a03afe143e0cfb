"""A plausible report.json for tests: shape of NAFLD, numbers from a seed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.report_sample_evaluation import ARMS, METRICS, sample_evaluation
from tests.report_sample_explanations import sample_explanations, sample_subgroups
from tests.report_sample_stability import sample_instability, sample_learning_curve, sparse_learning_curve

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
    "mend": "Add events: more sites, more years, a longer horizon.",
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
        "cohort": _cohort(features),
        "validation": {
            "passed": True,
            "expectations": 148,
            "failed": [],
            "rows": 17549,
            "absent": [],
            "unlisted": ["case_seq"],
        },
        "drift": _drift(features, status),
        "training": _training(rng),
        "synthetic": {
            "n": 11189,
            "gates": _gates(status),
            "marginals": [_marginal(column, rng) for column in features],
            "map": _map(),
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


def _participants(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a table in which one count of each column of levels is suppressed."""
    n = dict(zip(("without_event", "with_event", "training", "test"), (15239, 328, 11675, 3892), strict=True))
    spread = {"mean": 54.25, "sd": 11.5, "median": 53.5, "lower": 46.75, "upper": 62.125}
    rows = []
    for column in features:
        of_levels = column["kind"] in ("binary", "categorical")
        counts = {side: [total // 2, total // 3, None] for side, total in n.items()} if of_levels else {}
        rows.append(
            {key: column[key] for key in ("name", "label", "unit")}
            | {"spread": {} if of_levels else dict.fromkeys(n, spread), "counts": counts}
            | {"levels": ["first", "second", "third"] if of_levels else []}
            | {"missing": dict.fromkeys(n, 0), "by_event": None if of_levels else 0.375, "by_part": 0.0625}
        )
    return {"n": n, "fewest": 5, "rows": rows}


def _cohort(features: list[dict[str, Any]]) -> dict[str, Any]:
    flow = [
        ("Rows of the extract", 17549, None),
        ("Adults at the index date", 17466, None),
        ("Status known at 730 days", 15567, 328),
    ]
    return {
        "participants": _participants(features),
        "n": 15567,
        "events": 328,
        "prevalence": 328 / 15567,
        "n_train": 11675,
        "n_test": 3892,
        "events_train": 246,
        "events_test": 82,
        "groups": 3912,
        "outcome": "Death within two years of the index date",
        "horizon_days": 730,
        "lookback_days": None,
        "flow": [dict(zip(("label", "n", "events"), step, strict=True)) for step in flow],
        "columns": features,
    }


def _training(rng: np.random.Generator) -> dict[str, Any]:
    lambdas = [0.0, 0.3, 1.0, 3.0, 10.0, 100.0]
    path = [{"ewc_lambda": x, "heldout_elbo": -24.8 - 0.5 * (math.log10(x + 0.05) - 0.4) ** 2} for x in lambdas]
    finetune = _history(rng, epochs=120, start=-31.0, end=-24.7, overfit=0.012)
    return {
        "device": "cpu",
        "parameters": 48211,
        "pretrain": _history(rng, epochs=60, start=-38.0, end=-21.4, overfit=0.0),
        "finetune": finetune | {"ewc_lambda": 3.0, "lambda_path": path},
    }


def _history(rng: np.random.Generator, *, epochs: int, start: float, end: float, overfit: float) -> dict[str, Any]:
    epoch = np.arange(1, epochs + 1)
    base = end + (start - end) * np.exp(-epoch / (epochs / 8)) + rng.normal(0, 0.03, epochs)
    heldout = base - 0.4 - overfit * np.maximum(epoch - epochs / 2, 0)
    best = int(heldout.argmax())
    rows = zip(epoch.tolist(), base.tolist(), heldout.tolist(), strict=True)
    history = [dict(zip(("epoch", "train_elbo", "heldout_elbo"), row, strict=True)) for row in rows]
    return {"epochs": epochs, "seconds": 41.3, "heldout_elbo": heldout[best], "best_epoch": best + 1, "history": history}


def _gates(status: str) -> list[dict[str, Any]]:
    rare = {"pass": (0.93, "pass"), "warn": (0.71, "warn"), "fail": (0.42, "fail")}[status]
    rows = [
        (
            "expectations",
            "Synthetic rows meet the data dictionary",
            0,
            None,
            None,
            0,
            "pass",
            "148 expectations on 11,189 rows.",
        ),
        ("exact_copies", "No copies of training cases", 0, 0, 0.0, 0, "pass", "Rows equal to a training case in every column."),
        (
            "separation",
            "They are rare cases",
            rare[0],
            rare[0] - 0.09,
            rare[0] + 0.08,
            0.5,
            rare[1],
            "Share of real separation reached.",
        ),
        (
            "c2st",
            "Hard to tell from real cases",
            0.783,
            0.731,
            0.836,
            0.85,
            "pass",
            "AUC of real against synthetic cases; 0.5 is ideal.",
        ),
        ("parent_share", "Not relabelled parents", 0.021, 0.013, 0.034, 0.05, "pass", "Share close to the majority parent."),
        ("dcr_share", "Not closer to training than to hold-out", 0.512, 0.471, 0.553, [0.45, 0.55], "pass", "Diagnostic only."),
    ]
    return [
        dict(zip(("name", "label", "value", "low", "high", "threshold", "verdict", "detail"), row, strict=True)) for row in rows
    ]


def _drift(features: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """Return drift: HDL in another unit and changed columns, unless the report passes."""
    moved = status != "pass"
    rows = [
        ("columns", "Columns added, removed or stored as another kind", 3 * moved, None, None, 0),
        ("rows", "Rows of the extract, as a ratio to those before", 1.02, 0.99, 1.05, [0.8, 1.25]),
        ("prevalence", "Prevalence of the outcome, as a ratio to that before", 1.08, 0.91, 1.28, [0.8, 1.25]),
        ("missing", "Largest change in a column's share of missing cells", 0.012, 0.0, 0.031, 0.05),
        ("psi", "Largest population stability index of a column, less its value by chance", *_index(moved), 0.1),
        ("ks", "Largest Kolmogorov-Smirnov distance of a numeric column", 0.19 if moved else 0.02, 0.16 * moved, 0.22, 0.125),
    ]
    names = ("name", "label", "value", "low", "high", "threshold")
    gates = [dict(zip(names, row, strict=True)) | {"verdict": "pass", "detail": "", "rule": ""} for row in rows]
    for gate in gates:
        gate["name"] = f"drift_{gate['name']}"
        if moved and gate["name"] in ("drift_columns", "drift_psi", "drift_ks"):
            gate |= {"verdict": "warn", "detail": f"1 of {len(features)} columns: hdl 0.231 (0.190 to 0.284)."}
    if moved:
        gates[0]["detail"] = "Added: hdl_c. Removed: ldl. Stored as another kind: smoke (text before, number now)."
    changed = [{"name": "smoke", "before": "text", "after": "number"}]
    return {
        "reference": {"run_id": "77c04e11a0b2", "extract_sha256": "51ee" * 16, "created_at": "2026-11-22T14:11:40Z"},
        "rows": {"before": 17204, "after": 17549},
        "gates": gates,
        "features": [_feature(column, moved and column["name"] == "hdl") for column in features],
        "columns": {"came": ["hdl_c"] * moved, "went": ["ldl"] * moved, "changed": changed * moved},
    }


def _index(moved: bool) -> tuple[float, float, float]:
    return (0.231, 0.19, 0.284) if moved else (0.002, 0.0, 0.006)


def _feature(column: dict[str, Any], moved: bool) -> dict[str, Any]:
    values = dict(zip(("psi", "psi_low", "psi_high"), _index(moved), strict=True))
    plain = {key: column[key] for key in ("name", "label", "kind")}
    ks = None if column["kind"] in ("binary", "categorical") else 0.19 if moved else 0.008
    missing = {"missing_before": column["missing"], "missing_after": column["missing"]}
    return plain | values | missing | {"noise": 0.001, "ks": ks, "verdict": "warn" if moved else "pass"}


def _marginal(column: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    missing = {
        name: min(1.0, column["missing"] * factor) for name, factor in (("majority", 1), ("cases", 0.8), ("synthetic", 0.85))
    }
    common = {key: column[key] for key in ("label", "unit")} | {"column": column["name"], "missing": missing}
    if column["kind"] in ("binary", "categorical"):
        levels = (
            ["no", "yes"] if column["kind"] == "binary" else ["never", "former", "current, 20 or more a day", "unknown type"]
        )
        shares = {name: rng.dirichlet(np.full(len(levels), 4.0)).tolist() for name in ("majority", "cases", "synthetic")}
        distance = 0.5 * sum(abs(a - b) for a, b in zip(shares["cases"], shares["synthetic"], strict=True))
        return common | {"kind": "levels", "levels": levels, "distance": distance} | shares
    draw = {
        name: rng.gamma(4 + shift, 12, size)
        for name, shift, size in (("majority", 0, 9000), ("cases", 2, 246), ("synthetic", 2.2, 2000))
    }
    edges = np.linspace(0, 220, 25)
    shares = {name: (np.histogram(np.clip(x, 0, 219), edges)[0] / len(x)).tolist() for name, x in draw.items()}
    distance = float(np.abs(np.cumsum(shares["cases"]) - np.cumsum(shares["synthetic"])).max())
    return common | {"kind": "numeric", "edges": edges.tolist(), "distance": distance} | shares


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


def _map() -> dict[str, Any]:
    """Return a map of few cells, some too small to be counted."""
    cells = []
    for across, up in ((x, y) for y in range(-3, 3) for x in range(-3, 4)):
        near = {"majority": (-0.5, 0.0, 4000), "cases": (1.0, 0.5, 90), "synthetic": (0.7, 0.4, 3000)}
        counts = {name: round(n * math.exp(-((across - x) ** 2 + (up - y) ** 2) / 2)) for name, (x, y, n) in near.items()}
        cells.append({"across": across, "up": up, **{name: None if 0 < n < 5 else n for name, n in counts.items()}})
    n = {"majority": 11431, "cases": 246, "synthetic": 11189}
    return {"width": 1, "height": 1, "variance": [0.31, 0.17], "fewest": 5, "n": n, "cells": cells}
