"""The table of the benchmark: gains over the better single classifier, by number of events and by cohort."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from tests.benchmarks.few_events.blocks import MODELS, Scores

RIVALS = ("logistic_regression", "hist_gradient_boosting")  # the better of them, known only in hindsight, is the reference
FEW = 40  # events up to which a cohort's mean counts as one of few events


def table(results: Mapping[str, Mapping[str, Scores] | None]) -> str:
    """Return the table as text: means over cohorts of their means over blocks, with half of their 95 % interval."""
    frame = gains(results)
    if frame.empty:
        return "No block has been measured yet."
    blocks = frame[frame["model"] == MODELS[0]].groupby("events").size()
    parts = [
        f"Blocks: {', '.join(f'{count} with {events} events' for events, count in blocks.items())}. ± spans 95 % over cohorts."
    ]
    titles = {"auroc": "Gain in AUROC", "auprc": "Gain in AUPRC, %", "brier": "Brier score, recalibrated, % of the reference's"}
    for name, title in titles.items():
        parts.append(f"\n{title}, over the better of logistic regression and boosting in hindsight\n{_by_events(frame, name)}")
    parts.append(f"\nCalibration slope after recalibration, median\n{_by_events(frame, 'slope', how='median')}")
    few = frame[frame["events"] <= FEW]
    means = few.pivot_table(index="model", columns="cohort", values="auroc").reindex(MODELS)
    parts.append(f"\nGain in AUROC by cohort, at most {FEW} events\n{means.round(4).to_string()}")
    return "\n".join(parts)


def gains(results: Mapping[str, Mapping[str, Scores] | None]) -> pd.DataFrame:
    """Return a row for each block and model: its measures against the better rival's, each measure by itself."""
    return pd.DataFrame([row for key, scores in results.items() if scores for row in _rows(key, scores)])


def _by_events(frame: pd.DataFrame, column: str, *, how: str = "mean") -> str:
    cohorts = frame.groupby(["model", "events", "cohort"])[column].agg(how).reset_index()
    shape = {"index": "model", "columns": "events", "values": column}
    values = cohorts.pivot_table(**shape).reindex(MODELS)
    spread = cohorts.pivot_table(**shape, aggfunc=_half_width).reindex_like(values)
    return (values.map("{:.4f}".format) + " ± " + spread.map("{:.4f}".format)).to_string()


def _half_width(means: pd.Series[float]) -> float:
    """Return half of the 95 % interval of a mean over cohorts, by Student's t; NaN for a single cohort."""
    return float(t.ppf(0.975, len(means) - 1) * means.sem())


def _rows(key: str, scores: Mapping[str, Scores]) -> list[dict[str, Any]]:
    cohort, events, repeat = key.split("/")
    best = {name: max(getattr(scores[rival], name) for rival in RIVALS) for name in ("auroc", "auprc")}
    brier = min(scores[rival].brier for rival in RIVALS)
    return [
        {
            "cohort": cohort,
            "events": int(events),
            "repeat": int(repeat),
            "model": model,
            "auroc": found.auroc - best["auroc"],
            "auprc": 100 * (found.auprc / best["auprc"] - 1),
            "brier": 100 * found.brier / brier,
            "slope": found.slope if np.isfinite(found.slope) else np.nan,
        }
        for model, found in scores.items()
    ]
