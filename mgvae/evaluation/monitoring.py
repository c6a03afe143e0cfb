"""Performance of kept predictions by cohort of entry, on matured rows only.

A patient counts in the month of the first prediction. A row is matured when its horizon has passed and its outcome is known; a
patient who had the event early counts no sooner than one who did not, or the young cohorts would hold events alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.groups import groups_by_event
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.intervals import Sample, Score, auroc_estimate, t_quantile
from mgvae.evaluation.measures.accuracy import accuracy
from mgvae.evaluation.measures.calibration import calibration
from mgvae.evaluation.measures.ranking import ranking
from mgvae.evaluation.measures.weights import unit_weights
from mgvae.results.monitoring import EntryCohort
from mgvae.results.numbers import FEW_EVENTS, Estimate, number

LEVEL, DRAWS = 0.99, 200
UNKNOWN = Estimate(value=None)


def entry_cohorts(
    predictions: pd.DataFrame, outcome: pd.Series, *, as_of: pd.Timestamp, horizon_days: int | None, expected: float | None
) -> tuple[EntryCohort, ...]:
    """Return the performance by month of entry.

    Args:
        predictions: as `mgvae.results.scoring.KEPT_COLUMNS`, of one or more scorings.
        outcome: by subject, whether the event happened: 1, 0 or NaN.
        as_of: the latest day of which outcomes can be known.
        horizon_days: after the prediction in which the outcome counts; None: an outcome counts as soon as it is known.
        expected: the AUROC that is expected; None for none.
    """
    first = predictions.dropna(subset="risk").sort_values("prediction_time", kind="stable").drop_duplicates("subject_id")
    table = first.assign(
        event=first["subject_id"].map(outcome).astype(float), month=first["prediction_time"].dt.strftime("%Y-%m")
    )
    passed = table["prediction_time"] + pd.to_timedelta(horizon_days or 0, unit="D") <= as_of
    table["matured"] = passed & table["event"].notna()
    return tuple(_cohort(str(month), rows, expected) for month, rows in table.groupby("month"))


def signals(auroc: Estimate, ratio: Estimate, expected: float | None) -> tuple[str, ...]:
    """Return what lies outside its control limits: an interval of 99 % that excludes the centre line."""
    out = []
    if expected is not None and auroc.high is not None and auroc.high < expected:
        out.append("AUROC below that at promotion")
    if ratio.low is not None and ratio.high is not None and not ratio.low <= 1 <= ratio.high:
        out.append("observed/expected not 1")
    return tuple(out)


def _cohort(month: str, rows: pd.DataFrame, expected: float | None) -> EntryCohort:
    ripe = rows[rows["matured"]]
    events = int(ripe["event"].sum())
    auroc = ratio = slope = UNKNOWN
    if FEW_EVENTS <= events < len(ripe):
        own = "/" + ripe["subject_id"].astype(str)
        group, _ = pd.factorize(ripe["group"].astype(object).fillna(own))
        auroc, ratio, slope = _measured(ripe["event"].to_numpy(int), group.astype(np.int64), ripe["risk"].to_numpy(float))
    return EntryCohort(
        month=month,
        predicted=len(rows),
        matured=len(ripe),
        events=events,
        alerts=float(rows["alert"].mean()),
        mean_risk=number(float(ripe["risk"].mean())) if len(ripe) else None,
        auroc=auroc,
        observed_expected=ratio,
        slope=slope,
        signals=signals(auroc, ratio, expected),
    )


def _measured(event: IntArray, group: IntArray, risk: FloatArray) -> tuple[Estimate, Estimate, Estimate]:
    """Return AUROC, observed / expected and calibration slope with their limits, groups drawn whole."""

    def measures(weights: FloatArray) -> FloatArray:
        ratio = accuracy(event, risk, weights)["observed_expected"]
        slope = calibration(event, risk, weights)["calibration_slope"]
        return np.stack([ranking(event, risk, weights)["auroc"], np.log(ratio), slope])

    once = measures(unit_weights(len(event)))
    draws = np.concatenate([measures(w) for w in resamples(event, group, n=DRAWS, seed=0).chunks()], axis=1)
    sample = Sample(*groups_by_event(event, group))
    auroc, ratio, slope = (Score(value, drawn, sample) for value, drawn in zip(once, draws, strict=True))
    reach = t_quantile(sample.events, LEVEL)

    def limits(score: Score) -> tuple[float, float, float]:
        return score.value, score.value - reach * score.se, score.value + reach * score.se

    names = ("value", "low", "high")
    logs = {key: number(float(np.exp(x))) for key, x in zip(names, limits(ratio), strict=True)}
    plain = {key: number(x) for key, x in zip(names, limits(slope), strict=True)}
    return auroc_estimate(auroc, LEVEL), Estimate(**logs), Estimate(**plain)
