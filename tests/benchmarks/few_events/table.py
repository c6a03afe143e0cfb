"""The table of the benchmark: gains over the better single classifier, by number of events and by cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.few_events.blocks import MODELS, Scores

RIVALS = ("logistic_regression", "hist_gradient_boosting")  # the better of them, known only in hindsight, is the reference
FEW = 40  # events up to which a cohort's mean counts as one of few events


def table(results: Mapping[str, Mapping[str, Scores] | None]) -> str:
    """Return the table as text: means over cohorts of their means over blocks."""
    rows = [row for key, scores in results.items() if scores for row in _rows(key, scores)]
    if not rows:
        return "No block has been measured yet."
    frame = pd.DataFrame(rows)
    blocks = frame[frame["model"] == MODELS[0]].groupby("events").size()
    parts = [f"Blocks: {', '.join(f'{count} with {events} events' for events, count in blocks.items())}."]
    titles = {"auroc": "Gain in AUROC", "auprc": "Gain in AUPRC, %", "brier": "Brier score, recalibrated, % of the reference's"}
    for name, title in titles.items():
        parts.append(f"\n{title}, over the better of logistic regression and boosting in hindsight\n{_by_events(frame, name)}")
    parts.append(f"\nCalibration slope after recalibration, median\n{_by_events(frame, 'slope', how='median')}")
    few = frame[frame["events"] <= FEW]
    means = few.pivot_table(index="model", columns="cohort", values="auroc").reindex(MODELS)
    parts.append(f"\nGain in AUROC by cohort, at most {FEW} events\n{means.round(4).to_string()}")
    return "\n".join(parts)


def _by_events(frame: pd.DataFrame, column: str, *, how: str = "mean") -> str:
    cohorts = frame.groupby(["model", "events", "cohort"])[column].agg(how).reset_index()
    shape = {"index": "model", "columns": "events", "values": column}
    values = cohorts.pivot_table(**shape).reindex(MODELS)
    errors = cohorts.pivot_table(**shape, aggfunc="sem").reindex_like(values)  # none of a single cohort
    return (values.map("{:.4f}".format) + " ± " + errors.map("{:.4f}".format)).to_string()


def _rows(key: str, scores: Mapping[str, Scores]) -> list[dict[str, Any]]:
    cohort, events, _ = key.split("/")
    best = {name: max(getattr(scores[rival], name) for rival in RIVALS) for name in ("auroc", "auprc")}
    brier = min(scores[rival].brier for rival in RIVALS)
    return [
        {
            "cohort": cohort,
            "events": int(events),
            "model": model,
            "auroc": found.auroc - best["auroc"],
            "auprc": 100 * (found.auprc / best["auprc"] - 1),
            "brier": 100 * found.brier / brier,
            "slope": found.slope if np.isfinite(found.slope) else np.nan,
        }
        for model, found in scores.items()
    ]
