"""Cohort, participants and drift of the sample report."""

from __future__ import annotations

from typing import Any


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


def sample_cohort(features: list[dict[str, Any]]) -> dict[str, Any]:
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


def sample_drift(features: list[dict[str, Any]], status: str) -> dict[str, Any]:
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
