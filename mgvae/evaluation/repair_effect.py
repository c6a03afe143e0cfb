"""What repair of the synthetic cases did to a classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from mgvae.arrays import FloatArray
from mgvae.classifiers.design import information
from mgvae.classifiers.models import LogisticModel
from mgvae.cohort.rows import Rows
from mgvae.evaluation.bootstrap import interval, resamples
from mgvae.results.numbers import Estimate, number
from mgvae.results.synthetic import RepairEffect

RESAMPLES = 200


def repair_effect(train: Rows, test: Rows, before: pd.DataFrame, after: pd.DataFrame, *, seed: int) -> RepairEffect | None:
    """Compare logistic regression with all synthetic cases, and with those that repair left, on patients held out.

    The interval is that of the paired difference over whole groups; it serves to report, and nothing is chosen by it.

    Args:
        train, test: real rows.
        before, after: synthetic cases.
        seed: of the resamples.

    Returns:
        AUROC before and after; None where the rows held out have one class only.
    """
    if not 0 < test.event.sum() < len(test):
        return None
    risks = [_risk(train, test, cases) for cases in (before, after)]
    found = [float(roc_auc_score(test.event, risk, sample_weight=test.weight)) for risk in risks]
    plan = resamples(test.event, test.group, n=RESAMPLES, seed=seed, weight=test.weight)
    gaps = [
        float(np.subtract(*(roc_auc_score(test.event, risk, sample_weight=weight) for risk in risks[::-1])))
        for chunk in plan.chunks()
        for weight in chunk.T
    ]
    low, high = (number(limit) for limit in interval(np.array(gaps)))
    return RepairEffect(before=found[0], after=found[1], difference=Estimate(value=found[1] - found[0], low=low, high=high))


def _risk(train: Rows, test: Rows, cases: pd.DataFrame) -> FloatArray:
    # as `mgvae.evaluation.arms.with_cases`, which would tie the stage that asks to the code of all generators
    dtypes = train.features.dtypes.to_dict()
    features = pd.concat([train.features, cases[list(train.features.columns)]], ignore_index=True).astype(dtypes)
    event = np.concatenate([train.event, np.ones(len(cases), dtype=np.int64)])
    weights = np.full(len(event), information(train.event) / information(event))
    return LogisticModel().fit(features, event, weights).predict_proba(test.features)
