"""The table of results/index.md, from report.json: python -m docs.tools.cohort_table [--auroc] RUN [RUN ...].

`--auroc` prints the table of README.md: a row for each cohort and classifier, a column for each arm.
"""

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


def auroc_table(reports: list[dict[str, Any]]) -> str:
    """Return the cross-validated AUROC of each report as a Markdown table with a column an arm."""
    rows = ["| cohort, AUROC | " + " | ".join(ARMS.values()) + " |", "|" + "---|" * (len(ARMS) + 1)]
    for report in reports:
        arms = report["evaluation"]["arms"]
        for classifier, label in CLASSIFIERS.items():
            found = [arms[arm][classifier]["recalibrated"]["auroc"]["value"] if arm in arms else None for arm in ARMS]
            cells = ["–" if value is None else f"{value:.3f}" for value in found]
            name = NAMES.get(report["study"], report["study"])
            rows.append(f"| {name}, {label.removeprefix('gradient ')} | " + " | ".join(cells) + " |")
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
    make = auroc_table if "--auroc" in sys.argv[1:] else table
    runs = [Path(word) for word in sys.argv[1:] if word != "--auroc"]
    print(make([json.loads((run / "report.json").read_text(encoding="utf-8")) for run in runs]))
