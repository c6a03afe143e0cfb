"""The section `drift` of cohort.yaml: which changes between extracts are seen, and with how many false alarms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from mgvae.config.strict import Strict


class Drift(Strict):
    """Thresholds of the drift gates; validation/drift.py says what each one measures.

    A gate passes if the value, or part of its interval, lies on the good side of the warn threshold. It fails if the value lies
    beyond the fail threshold and the whole interval beyond the warn threshold.

    Attributes:
        against: last_accepted, or nothing: this extract is not judged, and becomes the reference of the next one if the run
            passes. For a change that a person has examined and accepted.
        psi_warn, psi_fail: largest population stability index of a column, minus the value that chance alone gives.
        ks_warn, ks_fail: largest Kolmogorov-Smirnov distance of a numeric column; the defaults correspond to those of the PSI
            for a shifted normal distribution.
        missing_warn, missing_fail: largest change in the share of missing cells of a column, as a difference.
        prevalence_warn, prevalence_fail: largest change in prevalence, as a factor up or down.
        rows_warn, rows_fail: largest change in the number of rows, as a factor up or down.
        false_alarms: share of nights without drift in which any check may raise an alarm: half of it for the columns one by
            one, the rest in equal parts for the joint table, the dependence between columns, the relation of predictors and
            outcome, events that are revised, the tails, and slow drift.
        joint_warn, joint_fail: largest AUROC, above 0.5, of a classifier of earlier patients and new ones.
        relation_warn, relation_fail: largest change in the AUROC of a model of the earlier extract.
        revised_warn, revised_fail: largest share of the earlier patients with the event who have it no more.
        tails_warn, tails_fail: largest share of rows, beyond what is expected, that lie far out in a numeric column.
        slow_warn: largest shift of a column's mean since the first extract of the chain, in standard deviations. Slow drift
            only warns, since a model that is refitted follows it.
    """

    against: Literal["last_accepted", "nothing"] = "last_accepted"
    psi_warn: float = Field(default=0.1, ge=0)
    psi_fail: float = Field(default=0.25, ge=0)
    ks_warn: float = Field(default=0.125, ge=0, le=1)
    ks_fail: float = Field(default=0.2, ge=0, le=1)
    missing_warn: float = Field(default=0.05, ge=0, le=1)
    missing_fail: float = Field(default=0.15, ge=0, le=1)
    prevalence_warn: float = Field(default=1.25, ge=1)
    prevalence_fail: float = Field(default=2.0, ge=1)
    rows_warn: float = Field(default=1.25, ge=1)
    rows_fail: float = Field(default=2.0, ge=1)
    false_alarms: float = Field(default=0.01, gt=0, lt=0.5)
    joint_warn: float = Field(default=0.05, ge=0, le=0.5)
    joint_fail: float = Field(default=0.2, ge=0, le=0.5)
    relation_warn: float = Field(default=0.05, ge=0, le=1)
    relation_fail: float = Field(default=0.1, ge=0, le=1)
    revised_warn: float = Field(default=0.02, gt=0, lt=1)
    revised_fail: float = Field(default=0.1, gt=0, le=1)
    tails_warn: float = Field(default=0.01, ge=0, le=1)
    tails_fail: float = Field(default=0.03, ge=0, le=1)
    slow_warn: float = Field(default=0.25, ge=0)

    @model_validator(mode="after")
    def _in_order(self) -> Drift:
        for name in ("psi", "ks", "missing", "prevalence", "rows", "joint", "relation", "revised", "tails"):
            if getattr(self, f"{name}_warn") > getattr(self, f"{name}_fail"):
                raise ValueError(f"{name}_warn must not lie beyond {name}_fail")
        return self
