"""A report of distinct numbers: each number on the page has one source."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from tests.report_sample import sample_report
from tests.report_sample_evaluation import CLASSIFIERS, METRICS

ARMS = ("none", "smote", "mgvae_no_ewc", "mgvae")
CHOSEN = {"arm": "mgvae_no_ewc", "classifier": "hist_gradient_boosting"}
VARIANTS = ("raw", "offset", "recalibrated")
BINS = 8


def distinct_report(*, columns: int = 12) -> dict[str, Any]:
    """Return a whole report of distinct numbers.

    SMOTE has no gradient boosting, and neither first nor last arm is chosen. Measures are whole numbers apart, far outside what
    they can be, so that they differ however few digits are printed.
    """
    report = sample_report(arms=ARMS, columns=columns, status="warn")
    rng, shares = np.random.default_rng(1), _shares()
    for column in report["cohort"]["columns"]:
        column["missing"] = next(shares)
    report["cohort"] |= {"groups": 3907, "horizon_days": 731, "lookback_days": 365}
    report["cohort"]["flow"][1]["events"] = 355
    report["validation"] |= {"expectations": 149, "rows": 17561}
    report["training"] = _training(rng)
    report["synthetic"] |= {"n": 11187, "gates": _gates(report["synthetic"]["gates"], 7, 0.2)}
    report["synthetic"]["marginals"] = [_marginal(marginal, rng, shares) for marginal in report["synthetic"]["marginals"]]
    _drift(report["drift"], shares)
    report["evaluation"] |= _evaluation(rng) | {"folds": 7, "repeats": 3, "bootstrap": 499}
    difference = {"metric": "scaled_brier", "value": 0.412, "low": -0.221, "high": 0.633, "family_low": -0.345}
    difference |= {"evidence": 1.71, "needed": 2.34, "expected_auroc": {"value": 0.052, "low": -0.017, "high": 0.126}}
    report["recommendation"] |= CHOSEN | {"difference": difference | {"arm": "mgvae", "classifier": CLASSIFIERS[0]}}
    report["recommendation"]["barred"] = {"smote": "its reason", "mgvae": "another reason"}
    for place, stage in enumerate(report["lineage"]["stages"]):
        stage |= {"seconds": 1.3 + 2.1 * place, "cached": place % 3 == 1}
        stage["ran"] = {"pool": f"pool-{place}", "worker": f"worker-{place}", "host": f"host-{place}"}
    return report


def distinct_refusal() -> dict[str, Any]:
    """Return the failed rules of a refused extract, with distinct counts."""
    names = ("bmi", "hdl", "chol", "death_730d")
    failed = [
        {"column": name, "rule": f"rule of {name}", "count": n} for name, n in zip(names, (412, 33, None, 7), strict=True)
    ]
    return {"passed": False, "expectations": 148, "failed": failed, "rows": 13637, "absent": [], "unlisted": []}


def _shares() -> Any:
    """Yield shares, neighbours a tenth or more from each other, 999 without repeat."""
    return (389 * place % 1000 / 1000 for place in count(1))


def _triple(place: int, step: float = 1.0) -> dict[str, float]:
    low, value, high = (step * (place + part) for part in (0.137, 1.452, 2.768))
    return {"value": value, "low": low, "high": high}


def _classifiers(arm: str) -> tuple[str, ...]:
    return CLASSIFIERS[:1] if arm == "smote" else CLASSIFIERS


def _evaluation(rng: np.random.Generator) -> dict[str, Any]:
    places, apart = count(3, 3), iter(rng.permutation(np.arange(-400, 400)).tolist())

    def variants() -> dict[str, Any]:
        return {variant: {metric: _triple(next(places)) for metric in METRICS} for variant in VARIANTS}

    def differences() -> dict[str, Any]:
        return {metric: _triple(3 * next(apart), 0.001) for metric in METRICS}

    return {
        "arms": {arm: {c: variants() for c in _classifiers(arm)} for arm in ARMS},
        "holdout": {arm: {c: variants() for c in _classifiers(arm)} for arm in ARMS},
        "differences": {arm: {c: differences() for c in _classifiers(arm)} for arm in ARMS if arm != "none"},
        "curves": {arm: {c: {v: _curve(rng) for v in VARIANTS} for c in _classifiers(arm)} for arm in ARMS},
    }


def _curve(rng: np.random.Generator) -> dict[str, Any]:
    """Return a curve with a bin without events, and lower limits below the axis."""
    predicted = np.sort(10 ** rng.uniform(-2.9, -0.4, BINS))
    observed = 10 ** rng.uniform(-2.7, -0.4, BINS)
    observed[0] = 0.0
    low, high = observed * rng.uniform(0.3, 0.8, BINS), np.minimum(observed * rng.uniform(1.2, 1.8, BINS) + 0.002, 1)
    columns = {"predicted": predicted, "observed": observed, "low": low, "high": high, "n": rng.uniform(900, 1400, BINS)}
    return {name: values.tolist() for name, values in columns.items()}


def _training(rng: np.random.Generator) -> dict[str, Any]:
    path = [{"ewc_lambda": weight, "heldout_elbo": -25 - float(rng.uniform(0, 3))} for weight in (3.0, 0.0, 100.0, 0.3, 1.0)]
    steps = {"pretrain": _step(rng, 9, 5, 41.3), "finetune": _step(rng, 8, 3, 127.0)}
    steps["finetune"] |= {"ewc_lambda": 0.3, "lambda_path": path}
    return {"device": "cpu", "parameters": 48211} | steps


def _step(rng: np.random.Generator, epochs: int, best: int, seconds: float) -> dict[str, Any]:
    train, heldout = rng.uniform(-40, -20, epochs).tolist(), rng.uniform(-60, -45, epochs).tolist()
    history = [{"epoch": i + 1, "train_elbo": train[i], "heldout_elbo": heldout[i]} for i in range(epochs)]
    return {"epochs": epochs, "seconds": seconds, "heldout_elbo": heldout[best - 1], "best_epoch": best, "history": history}


def _gates(gates: list[dict[str, Any]], first: int, start: float) -> list[dict[str, Any]]:
    made = []
    for place, gate in enumerate(gates):
        numbers = _triple(50 * place + first, 0.001)
        bound = start + 0.041 * place
        made.append(gate | numbers | {"threshold": [bound, bound + 0.4] if place % 2 else bound})
    return made


def _drift(drift: dict[str, Any], shares: Any) -> None:
    drift["rows"] = {"before": 17204, "after": 17573}
    drift["gates"] = _gates(drift["gates"], 32, 0.3)
    verdicts = {1: "warn", 4: "warn", 6: "fail"}
    for place, feature in enumerate(drift["features"]):
        index = _triple(5 * place + 400, 0.001)
        feature |= {"psi": index["value"], "psi_low": index["low"], "psi_high": index["high"], "noise": 0.011 + 0.002 * place}
        feature |= {"ks": next(shares), "missing_before": next(shares), "missing_after": next(shares)}
        feature["verdict"] = verdicts.get(place, "pass")


def _marginal(marginal: dict[str, Any], rng: np.random.Generator, shares: Any) -> dict[str, Any]:
    made = marginal | {"missing": {name: next(shares) for name in marginal["missing"]}, "distance": next(shares)}
    if marginal["kind"] == "levels":
        return made | {name: rng.dirichlet(np.full(len(marginal["levels"]), 3.0)).tolist() for name in marginal["missing"]}
    edges = 40 + np.cumsum(rng.uniform(5, 15, 7))
    return made | {"edges": edges.tolist()} | {name: rng.uniform(0.1, 1, 6).tolist() for name in marginal["missing"]}
