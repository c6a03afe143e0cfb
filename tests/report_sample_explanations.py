"""Plausible explanations and subgroups for the sample report."""

from __future__ import annotations

from typing import Any

import numpy as np

LARGEST, FOLDS = 12, 5
SUBGROUP_METRICS = {"auroc": 0.84, "observed_expected": 1.0, "calibration_slope": 0.97, "sensitivity": 0.74, "ppv": 0.071}


def sample_explanations(rng: np.random.Generator, features: list[dict[str, Any]], arms: tuple[str, ...]) -> dict[str, Any]:
    """Return explanations of logistic regression without correction and with the last arm."""
    decay = 0.8 ** np.arange(len(features))
    models = []
    for arm in dict.fromkeys(("none", arms[-1])):
        size = 0.6 * decay * rng.uniform(0.7, 1.3, len(features))
        models.append(_model(rng, features, arm, size))
    return {"part": "hold-out", "n": 3892, "events": 82, "bootstrap": 500, "models": models, "remarks": []}


def _model(rng: np.random.Generator, features: list[dict[str, Any]], arm: str, size: np.ndarray) -> dict[str, Any]:
    share, rank = size / size.sum(), np.argsort(np.argsort(-size)) + 1
    columns = [
        {
            "column": feature["name"],
            "label": feature["label"],
            "size": _estimate(size[at], 0.02),
            "share": _estimate(share[at], 0.01),
            "rank": int(rank[at]),
            "fold_shares": np.clip(share[at] + rng.normal(0, 0.004, FOLDS), 0, 1).tolist() if arm == "none" else [],
            "fold_ranks": rng.integers(max(1, rank[at] - 1), rank[at] + 2, FOLDS).tolist() if arm == "none" else [],
        }
        for at, feature in enumerate(features)
    ]
    names = [feature["name"] for feature in features[:LARGEST]]
    by_name = {name: _estimate(share[at], 0.02) for at, name in enumerate(names)}
    groups = [{"label": "Sex", "level": level, "n": n, "shares": by_name} for level, n in (("female", 2055), ("male", 1837))]
    terms = {"continuous": ("per standard deviation", "missing"), "count": ("per standard deviation",)}
    return {
        "arm": arm,
        "classifier": "logistic_regression",
        "explainer": "linear",
        "n": 3892,
        "base": -4.1 if arm == "none" else -0.3,
        "columns": sorted(columns, key=lambda column: column["rank"]),
        "groups": groups,
        "dependence": [_dependence(rng, feature, size[at]) for at, feature in enumerate(features[:LARGEST])],
        "coefficients": [
            {"column": feature["name"], "term": term, "value": float(rng.normal(0, size[at]))}
            for at, feature in enumerate(features)
            for term in terms.get(feature["kind"], ("1",))
        ],
    }


def _dependence(rng: np.random.Generator, feature: dict[str, Any], size: float) -> dict[str, Any]:
    numeric = feature["kind"] in ("continuous", "count")
    values = np.linspace(12, 96, 10).tolist() if numeric else [None, None]
    levels = [None] * 10 if numeric else ["no", "yes"]
    if feature["missing"]:
        values, levels = [*values, None], [*levels, "missing"]
    line = size * np.linspace(-1.5, 2.0, len(values)) + rng.normal(0, 0.02, len(values))
    points = [
        {"value": value, "level": level, "n": 389, "contribution": _estimate(at, 0.05)}
        for value, level, at in zip(values, levels, line, strict=True)
    ]
    return {"column": feature["name"], "label": feature["label"], "unit": feature["unit"], "points": points}


def _estimate(value: float, error: float) -> dict[str, float]:
    return {"value": float(value), "low": float(value - 1.96 * error), "high": float(value + 1.96 * error)}


def sample_subgroups(rng: np.random.Generator, arms: tuple[str, ...]) -> dict[str, Any]:
    """Return measures by sex, age and site; a site has too few events."""
    return {
        "fewest_events": 10,
        "bootstrap": 500,
        "training": {"models": [_subgroup_model(rng, arm) for arm in dict.fromkeys(("none", arms[-1]))]},
        "holdout": {"models": [_subgroup_model(rng, "none")]},
    }


def _subgroup_model(rng: np.random.Generator, arm: str) -> dict[str, Any]:
    columns = {
        "male": ("Sex", (("female", 6307, 118), ("male", 5370, 128))),
        "age": ("Age at the index date", (("below 45", 3276, 7), ("45 to below 65", 5783, 74), ("65 and above", 2618, 165))),
        "site": ("Hospital", (("Rochester, the main building", 6000, 130), ("St. Mary", 5500, 110), ("other", 177, 6))),
    }
    return {
        "arm": arm,
        "classifier": "logistic_regression",
        "overall": _subgroup(rng, ("all patients", 11677, 246)) | {"against_rest": {}},
        "columns": [
            {
                "column": name,
                "label": label,
                "groups": [_subgroup(rng, group) for group in groups],
                "ranges": {metric: _estimate(abs(rng.normal(0.05, 0.02)), 0.03) for metric in SUBGROUP_METRICS},
            }
            for name, (label, groups) in columns.items()
        ],
        "comparisons": 7,
    }


def _subgroup(rng: np.random.Generator, group: tuple[str, int, int]) -> dict[str, Any]:
    level, n, events = group
    counted = {"level": level, "n": n, "events": events, "too_few": events < 10, "measures": {}, "against_rest": {}}
    if events < 10:
        return counted
    error = 0.5 / events**0.5
    measures = {m: _estimate(centre + rng.normal(0, error / 2), error) for m, centre in SUBGROUP_METRICS.items()}
    planted = {"sensitivity": 6 * error} if level == "65 and above" else {}
    rest = {m: _estimate(rng.normal(planted.get(m, 0.0), error / 2), error) for m in SUBGROUP_METRICS}
    for one in rest.values():
        one |= {"family_low": one["low"] - 0.3 * error, "family_high": one["high"] + 0.3 * error}
    return counted | {"measures": measures, "against_rest": rest}
