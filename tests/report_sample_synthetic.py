"""Training, gates, marginals and map of the sample report."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def sample_training(rng: np.random.Generator) -> dict[str, Any]:
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


def sample_gates(status: str) -> list[dict[str, Any]]:
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


def sample_marginal(column: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
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


def sample_map() -> dict[str, Any]:
    """Return a map of few cells, some too small to be counted."""
    cells = []
    for across, up in ((x, y) for y in range(-3, 3) for x in range(-3, 4)):
        near = {"majority": (-0.5, 0.0, 4000), "cases": (1.0, 0.5, 90), "synthetic": (0.7, 0.4, 3000)}
        counts = {name: round(n * math.exp(-((across - x) ** 2 + (up - y) ** 2) / 2)) for name, (x, y, n) in near.items()}
        cells.append({"across": across, "up": up, **{name: None if 0 < n < 5 else n for name, n in counts.items()}})
    n = {"majority": 11431, "cases": 246, "synthetic": 11189}
    return {"width": 1, "height": 1, "variance": [0.31, 0.17], "fewest": 5, "n": n, "cells": cells}
