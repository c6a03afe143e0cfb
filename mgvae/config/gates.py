"""The section of cohort.yaml on the gates, with its defaults and their sources."""

from __future__ import annotations

from pydantic import Field

from mgvae.config.strict import Strict


class Gates(Strict):
    """Thresholds of the gates on the synthetic cases; see validation/gates.py.

    A limit without a source is a convention of this project.

    Attributes:
        separation_warn, separation_fail: lowest tolerable separation from the majority, as a share of that of the real cases.
            The same factors, inverted, limit it from above, on the scale of a shift between normal distributions.
        parent_share_warn, parent_share_fail: largest share of synthetic cases that lie closer to their parent than the parent's
            nearest majority row does.
        near_copies: share of the distance to the nearest other patient within which a synthetic case is a near copy.
        dcr_low, dcr_high: range of the share of synthetic cases that lie closer to training than to hold-out cases
            (diagnostic: arXiv:2505.01524).
        c2st_warn: classifier two-sample AUC above which the report warns (0.5 is not realistic with few cases), and fails where
            the whole interval lies above it and above that of real against real cases.
        kept_warn, kept_fail: lowest tolerable dependence between columns and coverage of the real cases, as a share of that
            of real cases; the same factors inverted limit the dependence from above.
        missing_warn, missing_fail: largest difference in the share of missing cells of a column; those of the drift gates.
        membership_warn, membership_fail: largest AUC of the strongest attack on membership.
        disclosure: largest excess risk of attribute inference, singling out and linkage (EMA policy 0070 and Health Canada
            PRCI 2019: 0.09).
        broken_rules_fail: how far the share of synthetic rows that break a rule between columns may lie above that of real
            rows; above that of real rows it warns.
    """

    separation_warn: float = Field(default=0.8, ge=0)
    separation_fail: float = Field(default=0.5, ge=0)
    parent_share_warn: float = Field(default=0.05, ge=0, le=1)
    parent_share_fail: float = Field(default=0.25, ge=0, le=1)
    near_copies: float = Field(default=0.33, gt=0, le=1)
    dcr_low: float = Field(default=0.45, ge=0, le=1)
    dcr_high: float = Field(default=0.55, ge=0, le=1)
    c2st_warn: float = Field(default=0.85, ge=0.5, le=1)
    broken_rules_fail: float = Field(default=0.01, ge=0, le=1)
    kept_warn: float = Field(default=0.8, gt=0, le=1)
    kept_fail: float = Field(default=0.5, gt=0, le=1)
    missing_warn: float = Field(default=0.05, ge=0, le=1)
    missing_fail: float = Field(default=0.15, ge=0, le=1)
    membership_warn: float = Field(default=0.6, ge=0.5, le=1)
    membership_fail: float = Field(default=0.7, ge=0.5, le=1)
    disclosure: float = Field(default=0.09, ge=0, le=1)
