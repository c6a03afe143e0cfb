"""Measure a model as it is on other patients; nothing is fitted but two recalibrations, which are named as such.

Source: Debray et al. 2015, doi 10.1016/j.jclinepi.2014.06.018, for reading performance beside the case mix; Steyerberg 2009,
doi 10.1007/978-0-387-77244-8, for recalibration in the large and weak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.recalibration import Recalibration, fit_level, fit_recalibration, to_logit
from mgvae.cohort.follow_up import FollowUp
from mgvae.cohort.subgroups import Subgroup
from mgvae.config.dictionary import Column
from mgvae.config.sections import Arm, Classifier, Evaluation
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.curves import curves_table, decision_curves
from mgvae.evaluation.measures.censoring import censoring_weights
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.subgroups import subgroup_part
from mgvae.evaluation.summary import arms_table, score
from mgvae.results.evaluation import JUDGED, Curve, DecisionCurves, Line, Scores
from mgvae.results.external import ColumnDifference, Recalibrated, Spread
from mgvae.results.numbers import number
from mgvae.results.subgroups import SubgroupPart


@dataclass(frozen=True)
class Outcomes:
    """Patients with known outcomes and the risks that a model gave them.

    Attributes:
        event: in {0, 1}, ``(N,)``.
        group: what resamples keep together, ``(N,)``.
        risk: ``(N,)``.
        follow_up: of these and of patients with an unknown outcome; None: all are known.
    """

    event: IntArray
    group: IntArray
    risk: FloatArray
    follow_up: FollowUp | None = None

    @property
    def weight(self) -> FloatArray | None:
        """How many patients each stands for, ``(N,)``; None: one each."""
        return None if self.follow_up is None else censoring_weights(self.follow_up)[:, 0]


@dataclass(frozen=True)
class Judged:
    """What was measured; see `mgvae.results.external.ExternalValidation`."""

    scores: dict[Recalibrated, Scores]
    recalibration: dict[Recalibrated, Line]
    curve: Curve
    decisions: DecisionCurves
    subgroups: SubgroupPart


def judge(
    found: Outcomes,
    model: tuple[Arm, Classifier],
    groups: Sequence[Subgroup],
    settings: Evaluation,
    *,
    threshold: float,
    seed: int,
) -> Judged:
    """Return every measure of a model on other patients, with intervals.

    Args:
        found: outcomes and risks, both with and without the event.
        model: arm and classifier, which name it.
        groups: subgroups and sites of these patients.
        settings: resamples, thresholds of decisions.
        threshold: risk from which a patient is an alert.
        seed: of the resamples.
    Raises:
        OutcomeError: no resample has both outcomes.
    """
    lines: dict[Recalibrated, Recalibration] = {
        "in the large": fit_level(found.event, found.risk, found.weight),
        "weak": fit_recalibration(found.event, found.risk, found.weight),
    }
    plan = resamples(found.event, found.group, n=settings.bootstrap, seed=seed, follow_up=found.follow_up)
    scores: dict[Recalibrated, Scores] = {}
    for name in get_args(Recalibrated):
        risk = lines[name](found.risk) if name in lines else found.risk
        made = _predictions(found, risk, model, threshold)
        scores[name] = arms_table(score(made, plan, settings))[model[0]][model[1]][JUDGED]
    plain = _predictions(found, found.risk, model, threshold)
    return Judged(
        scores=scores,
        recalibration={name: Line(intercept=line.intercept, slope=line.slope) for name, line in lines.items()},
        curve=curves_table(plain, plan)[model[0]][model[1]][JUDGED],
        decisions=decision_curves(plain, plan, settings),
        subgroups=subgroup_part(plain, groups, [model], plan),
    )


def _predictions(found: Outcomes, risk: FloatArray, model: tuple[Arm, Classifier], threshold: float) -> Predictions:
    n = len(found.event)
    return Predictions(
        event=found.event,
        group=found.group,
        fold=np.zeros((1, n), dtype=np.int16),
        prevalence=np.full((1, n), threshold),
        probability={(*model, JUDGED): risk[None, :]},
        unavailable={},
        weight=found.weight,
    )


def spread(risk: FloatArray) -> Spread:
    """Return mean and standard deviation of the log odds of risks."""
    lines = to_logit(risk)
    return Spread(mean=float(lines.mean()), sd=float(lines.std()))


def column_differences(study: pd.DataFrame, here: pd.DataFrame, columns: dict[str, Column]) -> tuple[ColumnDifference, ...]:
    """Return how predictors differ between two groups of patients, the largest differences first.

    Args:
        study, here: as `mgvae.cohort.build.Cohort.features`.
        columns: the predictors.
    """
    found = [_difference(name, column, study[name], here[name]) for name, column in columns.items()]
    return tuple(sorted(found, key=lambda one: -abs(one.difference or 0.0)))


def _difference(name: str, column: Column, study: pd.Series, here: pd.Series) -> ColumnDifference:
    levels: list[object] = list(study.cat.categories) if isinstance(study.dtype, pd.CategoricalDtype) else [None]
    compared = [(level, *_means(study, here, level)) for level in levels]
    level, first, second, difference = max(compared, key=lambda one: abs(one[3]) if np.isfinite(one[3]) else -1.0)
    return ColumnDifference(
        column=name,
        label=column.label or name,
        level=None if level is None else str(level),
        study=number(first),
        here=number(second),
        difference=number(difference),
        missing_study=float(study.isna().mean()),
        missing_here=float(here.isna().mean()),
    )


def _means(study: pd.Series, here: pd.Series, level: object) -> tuple[float, float, float]:
    """Return both means, or shares of a level, and the standardised difference; NaN where no value is known."""
    both = [cells.dropna() for cells in (study, here)]
    values: list[FloatArray] = [np.asarray(cells if level is None else cells == level, dtype=np.float64) for cells in both]
    if not all(map(len, values)):
        return _mean(values[0]), _mean(values[1]), np.nan
    first, second = map(_mean, values)
    pooled = float(np.sqrt((values[0].var() + values[1].var()) / 2))
    return first, second, (second - first) / pooled if pooled else (0.0 if first == second else np.nan)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan
