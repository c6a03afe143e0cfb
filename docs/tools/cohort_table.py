"""The table of results/index.md, from report.json: python -m docs.tools.cohort_table RUN [RUN ...]."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

NAMES = {"nafld": "NAFLD", "actg320": "ACTG 320"}
CLASSIFIERS = {"logistic_regression": "logistic regression", "hist_gradient_boosting": "gradient boosting"}
ARMS = {
    "none": "no correction",
    "class_weight": "class weights",
    "random_oversampling": "random oversampling",
    "smote": "SMOTE",
    "mgvae": "MGVAE",
    "guided": "guided score",
}
HEAD = "| cohort | classifier | arm | AUROC | AUPRC | scaled Brier | balanced accuracy | O/E raw / recalibrated |"


def table(reports: list[dict[str, Any]]) -> str:
    """Return the cross-validated, recalibrated numbers of each report as a Markdown table."""
    rows = [HEAD, "|" + "---|" * 8]
    for report in reports:
        for classifier, label in CLASSIFIERS.items():
            rows += [_row(report, classifier, label, arm) for arm in ARMS if arm in report["evaluation"]["arms"]]
    return "\n".join(rows)


def _row(report: dict[str, Any], classifier: str, label: str, arm: str) -> str:
    variants = report["evaluation"]["arms"][arm][classifier]
    judged = variants["recalibrated"]
    cells = [NAMES.get(report["study"], report["study"]), label, ARMS[arm]]
    cells += [_with_interval(judged[name]) for name in ("auroc", "auprc")]
    cells += [f"{judged[name]['value']:.3f}" for name in ("scaled_brier", "balanced_accuracy")]
    cells.append(" / ".join(f"{variants[name]['observed_expected']['value']:.2f}" for name in ("raw", "recalibrated")))
    return "| " + " | ".join(cells) + " |"


def _with_interval(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


if __name__ == "__main__":
    print(table([json.loads((Path(run) / "report.json").read_text(encoding="utf-8")) for run in sys.argv[1:]]))
