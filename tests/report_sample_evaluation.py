"""A plausible evaluation for the sample report, drawn around plausible effects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

METRICS = ("auroc", "auprc", "brier", "scaled_brier", "observed_expected", "calibration_intercept", "calibration_slope")
METRICS += ("balanced_accuracy", "g_mean", "sensitivity", "specificity", "ppv", "log_loss", "net_benefit")
METRICS += ("ici", "e90", "emax", "ppv_at_deployment", "f1", "mcc")
# cut: (sensitivity, positive predictive value)
ALERTS = {"alert_1": (0.09, 0.19), "alert_2": (0.15, 0.16), "alert_5": (0.29, 0.12), "alert_10": (0.46, 0.096)}
ALERTS |= {"spec_90": (0.45, 0.086), "spec_95": (0.28, 0.105)}
METRICS += tuple(f"{kind}_at_{cut}" for cut in ALERTS for kind in ("sensitivity", "ppv", "nne"))
ARMS = ("none", "class_weight", "threshold", "random_oversampling", "smote", "mgvae")
CLASSIFIERS = ("logistic_regression", "hist_gradient_boosting")
# arm: (AUROC less that of none, observed/expected before recalibration)
EFFECTS = {
    "none": (0.0, 1.0),
    "class_weight": (-0.001, 0.082),
    "threshold": (0.0, 1.0),
    "random_oversampling": (-0.002, 0.083),
    "smote": (-0.026, 0.16),
    "vae": (-0.04, 0.21),
    "mgvae_no_pretraining": (-0.021, 0.24),
    "mgvae_no_ewc": (-0.009, 0.26),
    "mgvae": (0.004, 0.31),
}


def sample_evaluation(rng: np.random.Generator, arms: tuple[str, ...]) -> dict[str, Any]:
    """Return the evaluation of a report: measures, differences and curves."""
    curves = {a: {c: {v: _curve(rng, a, v) for v in ("raw", "offset", "recalibrated")} for c in CLASSIFIERS} for a in arms}
    return {
        "arms": {arm: {c: _variants(rng, arm, c, 0.011) for c in CLASSIFIERS} for arm in arms},
        "holdout": {arm: {c: _variants(rng, arm, c, 0.024) for c in CLASSIFIERS} for arm in arms},
        "differences": {arm: {c: _differences(rng, arm) for c in CLASSIFIERS} for arm in arms if arm != "none"},
        "curves": curves,
        "decision_curves": _decision_curves(rng, arms),
        "rank_curves": sample_rank_curves(arms),
        "holdout_rank_curves": sample_rank_curves(arms, shift=0.05),
        "holdout_risks": {arm: dict.fromkeys(CLASSIFIERS, _risks(-0.1, size=0.5)) for arm in arms},
        "folds": 5,
        "repeats": 2,
        "bootstrap": 500,
        "thresholds": {
            "Threshold, raw": "0.5; arm 'threshold': the prevalence of the fitting rows",
            "Threshold, offset and recalibrated": "the prevalence of the fitting rows",
            "Recalibration": "intercept and slope on 20% of each training fold, held out from every arm",
            "Gain in AUROC that would matter": 0.02,
            "Arms and classifiers compared with no correction": 8,
        },
    }


def _variants(rng: np.random.Generator, arm: str, classifier: str, se: float) -> dict[str, Any]:
    effect, expected = EFFECTS[arm]
    auroc = 0.842 + effect - (0.018 if classifier == "hist_gradient_boosting" else 0) + rng.normal(0, se / 5)
    ratios = {"raw": expected, "offset": 0.6 + 0.4 * expected, "recalibrated": 1 + rng.normal(0, 0.02)}
    return {variant: _scores(auroc, ratio, se, variant) for variant, ratio in ratios.items()}


def _scores(auroc: float, ratio: float, se: float, variant: str) -> dict[str, Any]:
    slope = 0.97 if variant == "recalibrated" else 0.55 + 0.4 * min(ratio, 1)
    brier = 0.0198 + 0.11 * max(0.0, 1 - ratio) ** 2
    values = (auroc, 0.131, brier, 1 - brier / 0.0206, ratio, math.log(ratio), slope, 0.765, 0.764, 0.741, 0.789, 0.071)
    values += (0.094, 0.0031, 0.002, 0.005, 0.11, 0.036, 0.13, 0.19)
    values += tuple(x for found, right in ALERTS.values() for x in (found, right, 1 / right))
    errors = (se, 0.014, 0.001, 0.02, 0.06 * ratio, 0.09, 0.06, 0.017, 0.018, 0.03, 0.004, 0.005)
    errors += (0.003, 0.0011, 0.0006, 0.001, 0.02, 0.004, 0.009, 0.012)
    errors += (0.03, 0.01, 0.6) * len(ALERTS)
    return {m: {"value": v, "low": v - 1.96 * e, "high": v + 1.96 * e} for m, v, e in zip(METRICS, values, errors, strict=True)}


def _differences(rng: np.random.Generator, arm: str) -> dict[str, Any]:
    centre = dict.fromkeys(METRICS, 0.0) | {"auroc": EFFECTS[arm][0], "auprc": EFFECTS[arm][0] / 2, "balanced_accuracy": 0.01}
    made = {}
    for metric in METRICS:
        value, error = centre[metric] + rng.normal(0, 0.002), abs(rng.normal(0.005, 0.001)) + 0.001
        made[metric] = {"value": value, "low": value - 1.96 * error, "high": value + 1.96 * error}
    return made


def _curve(rng: np.random.Generator, arm: str, variant: str) -> dict[str, Any]:
    observed = np.array([0.0, 0.001, 0.003, 0.006, 0.009, 0.014, 0.02, 0.032, 0.055, 0.09])
    shift = math.log(1 / EFFECTS[arm][1]) if variant == "raw" else 0.0
    logits = np.log(np.maximum(observed, 5e-4)) + shift + rng.normal(0, 0.12, len(observed))
    predicted = np.sort(1 / (1 + np.exp(-logits)))
    error = 1.96 * np.sqrt(np.maximum(observed, 8e-4) * (1 - observed) / 1200)
    low, high = np.maximum(observed - error, 0), observed + error
    columns = {"predicted": predicted, "observed": observed, "low": low, "high": high}
    bins = {name: values.tolist() for name, values in columns.items()} | {"n": [1168] * len(observed)}
    return bins | ({} if variant == "offset" else {"smooth": _smooth(shift), "risks": _risks(shift)})


def _smooth(shift: float) -> dict[str, Any]:
    observed = np.geomspace(0.001, 0.1, 40)
    predicted = 1 / (1 + np.exp(-np.log(observed / (1 - observed)) - shift))
    columns = {"predicted": predicted, "observed": observed, "low": 0.7 * observed, "high": 1.4 * observed}
    return {name: values.tolist() for name, values in columns.items()}


def _risks(shift: float, *, size: float = 1.0) -> dict[str, Any]:
    edges = np.linspace(-8, 0, 31)
    middle = (edges[1:] + edges[:-1]) / 2
    others = size * 2000 * np.exp(-((middle + 4.5) ** 2) / 2)
    events = others * np.exp(middle) / (1 + np.exp(middle))
    return {"edges": (1 / (1 + np.exp(-edges - shift))).tolist(), "events": events.tolist(), "others": others.tolist()}


def _decision_curves(rng: np.random.Generator, arms: tuple[str, ...]) -> dict[str, Any]:
    thresholds, prevalence = np.geomspace(0.0105, 0.084, 41), 0.021
    everyone = prevalence - (1 - prevalence) * thresholds / (1 - thresholds)

    def curve() -> dict[str, Any]:
        model = 0.013 * (0.0105 / thresholds) ** 0.8 + rng.normal(0, 0.0002)
        columns = {"net_benefit": model, "low": model - 0.002, "high": model + 0.002}
        return {name: values.tolist() for name, values in columns.items()}

    models = {arm: {classifier: curve() for classifier in CLASSIFIERS} for arm in arms}
    return {"thresholds": thresholds.tolist(), "prevalence": prevalence, "treat_all": everyone.tolist(), "arms": models}


def sample_rank_curves(arms: tuple[str, ...], *, shift: float = 0.0) -> dict[str, Any]:
    """Return curves that lie above chance, another for each arm."""
    grid = np.linspace(0, 1, 11)
    curves = {
        arm: {"sensitivity": (grid ** (0.3 + 0.02 * place + shift)).tolist(), "precision": (0.5 - 0.45 * grid).tolist()}
        for place, arm in enumerate(arms)
        if arm != "threshold"
    }
    table = {arm: dict.fromkeys(CLASSIFIERS, curve) for arm, curve in curves.items()}
    return {"false_positive": grid.tolist(), "recall": grid.tolist(), "prevalence": 0.02, "arms": table}
