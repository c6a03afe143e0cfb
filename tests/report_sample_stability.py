"""Instability, learning curve and sample size of the sample report, plausible for NAFLD."""

from __future__ import annotations

from typing import Any

import numpy as np

BANDS, MODELS = 12, 25
LEARNED = {"none": 1.0, "class_weight": 1.1, "threshold": 1.0, "random_oversampling": 1.3, "smote": 1.7}
KEPT = {"none": 0.9, "mgvae": 1.5}


def sample_instability(arms: tuple[str, ...]) -> dict[str, Any]:
    """Return the instability: all arms of the evaluation that are redeveloped here."""
    entries = [(arm, "learned", size) for arm, size in LEARNED.items() if arm in arms and arm != "threshold"]
    entries += [(arm, "kept", size) for arm, size in KEPT.items() if arm in arms and "mgvae" in arms]
    return {
        "classifier": "logistic_regression",
        "n": 11675,
        "events": 246,
        "prevalence": 246 / 11675,
        "threshold": 246 / 11675,
        "arms": [_entry(*entry, place) for place, entry in enumerate(entries)],
        "unavailable": {},
        "remarks": ["Models of arms with a generator keep the recalibration of the original model."] if "mgvae" in arms else [],
    }


def _entry(arm: str, kind: str, size: float, place: int) -> dict[str, Any]:
    rng = np.random.default_rng(place)
    risk = np.geomspace(0.002, 0.55, BANDS)
    spread = 0.28 * size
    low, high = (risk / (risk + (1 - risk) * np.exp(sign * 1.96 * spread)) for sign in (1, -1))
    changed = 0.4 * np.exp(-((np.log(risk / 0.021) / (1.6 * spread)) ** 2) / 2)
    n = np.maximum(3500 * 0.7 ** np.arange(BANDS), 12).astype(int)
    columns = {"n": n, "risk": risk, "low": low, "high": high, "error": 0.8 * spread * risk * (1 - risk), "changed": changed}
    return {
        "arm": arm,
        "recalibration": kind,
        "redevelopments": 20 if arm == "mgvae" else 100,
        "failed": 1 if arm == "smote" else 0,
        "mape": {"value": 0.0041 * size, "low": 0.0028 * size, "high": 0.0059 * size},
        "changed": {"value": 0.038 * size, "low": 0.024 * size, "high": 0.055 * size},
        "slope": {"value": 1.02, "low": 1.02 - 0.08 * size, "high": 1.02 + 0.13 * size},
        "bands": [
            dict(zip(columns, row, strict=True)) for row in zip(*(values.tolist() for values in columns.values()), strict=True)
        ],
        "curves": [_curve(rng, size) for _ in range(MODELS)],
    }


def _curve(rng: np.random.Generator, size: float) -> dict[str, Any]:
    predicted = np.geomspace(0.004, 0.3, 9)
    turn = rng.normal(0, 0.07 * size)
    observed = predicted * np.exp(turn * np.log(predicted / 0.03) + rng.normal(0, 0.08, 9))
    return {"predicted": predicted.tolist(), "observed": np.minimum(observed, 1).tolist()}


def sample_learning_curve(arms: tuple[str, ...], *, events: int = 246) -> dict[str, Any]:
    """Return the learning curve of no correction and, where it is an arm, of MGVAE."""
    lines = [("none", "hist_gradient_boosting", 2, 0.0)] + [("mgvae", "logistic_regression", 1, -0.01)] * ("mgvae" in arms)
    criteria = [("shrinkage", 6227, 131), ("optimism", 2998, 64), ("overall_risk", 32, 1)]
    return {
        "folds": 5,
        "lines": [_line(*line, events) for line in lines],
        "sample_size": {
            "n": 11675,
            "events": events,
            "prevalence": 246 / 11675,
            "parameters": 27,
            "auroc": {"value": 0.842, "low": 0.81, "high": 0.87},
            "cox_snell": 0.0388,
            "nagelkerke": 0.21,
            "criteria": [dict(zip(("name", "n", "events"), row, strict=True)) for row in criteria],
            "required_events": {"value": 131, "low": 102, "high": 171},
        },
        "remarks": [],
    }


def _line(arm: str, classifier: str, repeats: int, shift: float, events: int) -> dict[str, Any]:
    centre = {"auroc": 0.842, "log_loss": 0.0792, "net_benefit": 0.0083, "scaled_brier": 0.088, "calibration_slope": 0.98}
    loss = {"auroc": -0.02, "log_loss": 0.002, "net_benefit": -0.0009, "scaled_brier": -0.015, "calibration_slope": 0.02}
    error = {"auroc": 0.012, "log_loss": 0.0045, "net_benefit": 0.0007, "scaled_brier": 0.015, "calibration_slope": 0.05}

    def estimate(metric: str, share: float) -> dict[str, float]:
        value = centre[metric] * (1 + shift) + loss[metric] * (1 / share - 1)
        return {"value": value, "low": value - 1.96 * error[metric], "high": value + 1.96 * error[metric]}

    shares = (1 / 3, 2 / 3, 1.0)
    points = [
        {
            "share": share,
            "n": 9340 * share,
            "events": 0.8 * events * share,
            "scores": {name: estimate(name, share) for name in centre},
        }
        for share in shares
    ]
    gain = {
        name: {"value": -loss[name] / 2, "low": -loss[name] / 2 - abs(loss[name]), "high": abs(loss[name])} for name in centre
    }
    return {"arm": arm, "classifier": classifier, "repeats": repeats, "points": points, "gain": gain}


def sparse_learning_curve() -> dict[str, Any]:
    """Return a learning curve of one point without intervals, and a model that may be useless."""
    curve = sample_learning_curve(("none",), events=19)
    line = curve["lines"][0]
    (point,) = line["points"] = line["points"][-1:]
    point["scores"] = {name: {"value": None if name == "net_benefit" else 0.6} for name in point["scores"]}
    line["gain"] = {}
    size = {"auroc": {"value": 0.6, "low": 0.45, "high": 0.75}, "required_events": {"value": 900, "low": 190, "high": None}}
    curve["sample_size"] |= size
    return curve | {"remarks": ["With 33% of the fitting rows: too few events."]}
