"""Measures of how well a score ranks events above non-events, within folds.

Scores of models fitted on different folds are on different scales, so only rows of one fold are compared, but for average
precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.evaluation.measures.weights import ratio, sums
from mgvae.results.evaluation import Metric

ALERT_RATES = (1, 2, 5, 10)  # alerts among 100 rows
SPECIFICITIES = (90, 95)  # non-events without an alert, among 100
ROUNDING = 1e-9


@dataclass(frozen=True)
class Cells:
    """Rows counted by cell: the events of a fold that share a score; each fold ends with an empty cell.

    Every measure here depends on the non-events only through how many lie between the scores of neighbouring events, so the
    work for a resample is one sum over the rows and a few over the cells.

    Attributes:
        true, tied: events in the cell, and non-events with the same score, ``(C, R)``.
        hits, alarms: events and non-events of the fold with a higher score, ``(C, R)``.
        events, others: events and non-events of the cell's fold, ``(C, R)``.
        last: the cells that end a fold, ``(F,)``.
    """

    true: FloatArray
    tied: FloatArray
    hits: FloatArray
    alarms: FloatArray
    events: FloatArray
    others: FloatArray
    last: IntArray


def count_cells(event: IntArray, score: FloatArray, weights: FloatArray, fold: IntArray) -> Cells:
    """Count the rows by cell.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        score: ``(N,)``, higher for events.
        weights: ``(N, R)``.
        fold: number of each row's fold, ``(N,)``.
    """
    n, case = len(score), event == 1
    distinct, number = np.unique(fold, return_inverse=True)
    place = number * (n + 1) + np.unique(score, return_inverse=True)[1]  # one order of all rows, fold after fold
    ends = np.arange(len(distinct)) * (n + 1) + n
    cells = np.unique(np.concatenate([place[case], ends]))
    count = len(cells)
    left, right = (np.searchsorted(cells, place, side) for side in ("left", "right"))
    found = sums(np.where(case, left, count + left + right), weights, 3 * count + 1)
    true, around = found[:count], found[count:-1]  # around: non-events between cells and in cells, by turns
    last = np.searchsorted(cells, ends)
    of_fold = cells // (n + 1)
    below_or_in = np.stack([true, around[0::2] + around[1::2]]).cumsum(axis=1)
    totals = np.diff(below_or_in[:, last], axis=1, prepend=0)[:, of_fold]
    hits, alarms = below_or_in[:, last][:, of_fold] - below_or_in
    return Cells(true, around[1::2], hits, alarms, totals[0], totals[1], last)


def ranking(event: IntArray, score: FloatArray, weights: FloatArray, fold: IntArray | None = None) -> dict[Metric, FloatArray]:
    """Compute AUROC, average precision and the measures of alerts, ``(R,)`` each.

    AUROC: the concordant share of all pairs of an event and a non-event of the same fold; a tie counts half. Average precision:
    of all folds together, tied rows enter together; within folds of a few events each it would be far too high, since their
    highest event has a precision of one over its rank among few rows. Alerts are given to the highest scores of each fold,
    so many that the stated share of its rows (``at_alert``), or of its non-events (100 less the specificity, ``at_spec``), has
    one; of rows tied at the cut, their share.

    Args:
        event: outcome in {0, 1}, ``(N,)``.
        score: ``(N,)``, higher for events.
        weights: ``(N, R)``.
        fold: number of each row's fold, ``(N,)``; None: all in one.
    """
    together = count_cells(event, score, weights, np.zeros(len(event), dtype=np.int64))
    cells = together if fold is None else count_cells(event, score, weights, fold)
    events, others = cells.events[cells.last], cells.others[cells.last]
    n_events, n_others = events.sum(axis=0), others.sum(axis=0)
    concordant = cells.true * (cells.others - cells.alarms - 0.5 * cells.tied)
    measures: dict[Metric, FloatArray] = {
        "auroc": ratio(concordant.sum(axis=0), (events * others).sum(axis=0)),
        "auprc": ratio((together.true * _precision(together)).sum(axis=0), n_events),
    }
    above, here = cells.hits + cells.alarms, cells.true + cells.tied
    for percent in ALERT_RATES:
        rate = percent / 100
        true = _found(cells, above, here, rate * (cells.events + cells.others))
        measures |= _alerts(true, rate * (n_events + n_others), n_events, f"at_alert_{percent}")
    for percent in SPECIFICITIES:
        rate = 1 - percent / 100
        true = _found(cells, cells.alarms, cells.tied, rate * cells.others)
        measures |= _alerts(true, true + rate * n_others, n_events, f"at_spec_{percent}")
    return measures


def _precision(cells: Cells) -> FloatArray:
    """Return the share of events among the rows down to each cell, ``(C, R)``."""
    found = cells.hits + cells.true
    reached = found + cells.alarms + cells.tied
    return np.divide(found, reached, out=np.zeros_like(found), where=reached > 0)


def _found(cells: Cells, above: FloatArray, here: FloatArray, allowed: FloatArray) -> FloatArray:
    """Return the events with an alert, ``(R,)``.

    Args:
        cells: the rows.
        above, here: what counts of the rows above each cell and in it, ``(C, R)``.
        allowed: how much may count in each cell's fold, ``(C, R)``.
    """
    room = allowed - above
    alone = (room > -ROUNDING).astype(np.float64)
    share = np.clip(np.divide(room, here, out=alone, where=here > 0), 0, 1)
    return np.asarray((cells.true * share).sum(axis=0))


def _alerts(true: FloatArray, alerts: FloatArray, events: FloatArray, suffix: str) -> dict[Metric, FloatArray]:
    measures = {"sensitivity": ratio(true, events), "ppv": ratio(true, alerts), "nne": ratio(alerts, true)}
    return {cast(Metric, f"{name}_{suffix}"): values for name, values in measures.items()}
