"""Make the reports of the gallery, and their pictures: python -m docs.tools.gallery [NAME ...] [--runs FOLDER].

Two reports are of the cohorts that ship, two of simulated patients, of whom the truth is known. Finished stages are reused. A
report lies in FOLDER/<study>/latest/report.html; `make docs` copies it into the site.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from docs.tools.links import ROOT
from docs.tools.picture import photograph

SHIPPED = {"nafld": ROOT / "data" / "nafld" / "cohort.yaml", "actg320": ROOT / "data" / "actg320" / "cohort.yaml"}
REPORT = re.compile(r"<!-- report: ([\w-]+) -->")  # where a document links a report
PATIENTS, LOADING = 4000, 0.2
PICTURE = {"width": 1180, "height": 900, "scale": 1.0}  # the verdict and the five answers


@dataclass(frozen=True)
class Simulation:
    """A study of simulated patients.

    Attributes:
        title: of its report.
        measurements: predictors that each say a little of the outcome.
        intercept: log odds of the outcome at the mean severity.
        epochs: of fine-tuning.
        arms: that are compared.
        leak: whether a column was recorded after the outcome and tells it.
    """

    title: str
    measurements: int
    intercept: float
    epochs: int
    arms: tuple[str, ...]
    leak: bool = False


SIMULATED = {
    "gallery-helps": Simulation("Simulated illness", 150, -5.3, 20, ("none", "class_weight", "smote", "guided")),
    "gallery-leak": Simulation(
        "Simulated illness, with a leak", 100, -5, 60, ("none", "class_weight", "smote", "mgvae", "guided"), leak=True
    ),
}


def patients(study: Simulation, *, seed: int) -> pd.DataFrame:
    """Return a simulated extract: illness in 2 or 3 % of patients, measurements that each say a little of it.

    A hidden severity raises the risk, and moves every measurement by a fifth of its spread. Few cases cannot show a hundred
    weak effects one by one; a score of the majority's spread and the cases' mean can add them up.

    Args:
        study: what is simulated.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    severity = rng.normal(size=(PATIENTS, 1))
    x = LOADING * severity + np.sqrt(1 - LOADING**2) * rng.normal(size=(PATIENTS, study.measurements))
    ill = rng.random(PATIENTS) < expit(2 * severity[:, 0] + study.intercept)
    table = {"patient": [f"s{number:05d}" for number in range(PATIENTS)], "ill": np.where(ill, "yes", "no")}
    table |= {f"test_{number + 1}": np.round(x[:, number], 3) for number in range(study.measurements)}
    if study.leak:
        table["discharge_code"] = np.round(ill + 0.2 * rng.normal(size=PATIENTS), 3)
    return pd.DataFrame(table)


def report_of(study: str) -> Path:
    """Return where the newest report of a study lies, if it was made."""
    return ROOT / "runs" / study / "latest" / "report.html"


def link_to_report(study: str) -> str:
    """Return a link to a study's report, or nothing where it was not made."""
    return f"[Open the report]({study}.html)." if report_of(study).exists() else ""


def write_study(name: str, folder: Path) -> Path:
    """Write extract, dictionary and cohort.yaml of a simulated study; return the path of cohort.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    simulated = SIMULATED[name]
    table = patients(simulated, seed=0)
    table.to_csv(folder / "extract.csv", index=False)
    columns: dict[str, object] = {name: {"kind": "continuous", "range": [-9, 9]} for name in table.columns[2:]}
    columns |= {"patient": {"role": "identifier"}, "ill": {"kind": "binary", "role": "excluded", "categories": ["no", "yes"]}}
    study = {
        "study": name,
        "title": simulated.title,
        "extract": "extract.csv",
        "subject_id": "patient",
        "outcome": {"column": "ill", "event": "yes", "label": "Illness", "expected_prevalence": [0.01, 0.05]},
        "columns": columns,
        "training": {"pretrain_epochs": 40, "finetune_epochs": simulated.epochs},
        "evaluation": {
            "arms": simulated.arms,
            "classifiers": ["logistic_regression"],
            "folds": 4,
            "repeats": 1,
        },
        "instability": {"redevelopments": 20, "arms": ["none", "guided"]},
        "learning_curve": {"shares": [0.5], "repeats": 1},
    }
    (folder / "cohort.yaml").write_text(json.dumps(study, indent=1), encoding="utf-8")  # JSON is YAML
    return folder / "cohort.yaml"


def make(names: list[str], runs: Path, pictures: Path) -> None:
    """Run the studies, and photograph the top of each report.

    Raises:
        subprocess.CalledProcessError: a run ended in an error; a failed gate is none.
    """
    for name in names:
        cohort = SHIPPED.get(name) or write_study(name, runs / f"{name}-study")
        command = [sys.executable, "-m", "flows.cli", "run", str(cohort), "--out", str(runs)]
        ended = subprocess.run(command, cwd=ROOT, check=False)
        if ended.returncode not in (0, 2):
            raise subprocess.CalledProcessError(ended.returncode, command)
        photograph(runs / name / "latest" / "report.html", pictures / f"{name}.png", **PICTURE)


def main() -> None:
    """Make the reports that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m docs.tools.gallery", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", default=[*SHIPPED, *SIMULATED], help=" ".join([*SHIPPED, *SIMULATED]))
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--pictures", type=Path, default=ROOT / "docs" / "gallery")
    options = parser.parse_args()
    make(options.names, options.runs.absolute(), options.pictures)


if __name__ == "__main__":
    main()
