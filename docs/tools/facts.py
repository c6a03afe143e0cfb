"""Facts that documents quote of the code, of the shipped data and of several runs; each is computed when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import pandas as pd

from docs.tools.cohort_table import ARMS, CLASSIFIERS
from docs.tools.links import ROOT
from mgvae.report.checklist import tripod
from mgvae.report.schema import Report

REWEIGHTED = ("class_weight", "random_oversampling", "smote", "mgvae")  # their raw risks are those of another prevalence


class Facts:
    """What documents say beyond the numbers of one report.

    Args:
        reports: the content of each run's report.json, by study.
    """

    def __init__(self, reports: Mapping[str, Any]) -> None:
        """Keep the reports; nothing is computed yet."""
        self._reports = reports

    @cached_property
    def nafld(self) -> dict[str, object]:
        """Return rows, columns and missing cells of the NAFLD table."""
        return _table(pd.read_parquet(ROOT / "data" / "nafld" / "nafld.parquet"))

    @cached_property
    def actg320(self) -> dict[str, object]:
        """Return rows, columns and missing cells of the ACTG 320 table."""
        return _table(pd.read_csv(ROOT / "data" / "actg320" / "actg320.csv"))

    @cached_property
    def tripod(self) -> dict[str, int] | None:
        """Return how many sub-items of TRIPOD+AI there are, and how many a run answers."""
        if "nafld" not in self._reports:
            return None
        items = tripod(Report.model_validate(self._reports["nafld"]))
        authors = sum(item.answer == "authors" for item in items)
        return {"items": len(items), "run": len(items) - authors, "authors": authors}

    @cached_property
    def calibration(self) -> dict[str, float] | None:
        """Return how many times too high raw risks are where rows are resampled or weighted, and O/E once recalibrated."""
        shipped = ("nafld", "actg320")
        if not self._reports.keys() >= set(shipped):
            return None
        raw, recalibrated = [], []
        for report in map(self._reports.__getitem__, shipped):
            arms = report["evaluation"]["arms"]
            for arm in ARMS:
                for variants in (arms[arm][classifier] for classifier in CLASSIFIERS):
                    recalibrated.append(variants["recalibrated"]["observed_expected"]["value"])
                    raw += [1 / variants["raw"]["observed_expected"]["value"]] if arm in REWEIGHTED else []
        return {
            "raw_low": min(raw),
            "raw_high": max(raw),
            "recalibrated_low": min(recalibrated),
            "recalibrated_high": max(recalibrated),
        }


def _table(frame: pd.DataFrame) -> dict[str, object]:
    missing = frame.isna().sum()
    return {
        "rows": len(frame),
        "columns": frame.shape[1],
        "missing": missing.to_dict(),
        "share_missing": (missing / len(frame)).to_dict(),
        "sum": frame.sum(numeric_only=True).to_dict(),
        "known": frame.notna().sum().to_dict(),
    }
