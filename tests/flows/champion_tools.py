"""Nights of a study without its training: real cohorts, splits and models in a store, and run folders that refer to them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from flows.runs.champion import consider
from flows.runs.folder import LATEST, set_link
from flows.runs.registry import note_run
from flows.study.lineage import config_sha256
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import load_cohort, save_cohort
from mgvae.cohort.split import holdout
from mgvae.config.study import CohortConfig
from mgvae.evaluation.deployed_model import PREDICTIONS, fit_deployed, save_deployed
from mgvae.store.artifact import Reference, digest_file
from mgvae.store.open import open_store

COLUMNS = {
    "severity": {"kind": "continuous"},
    "ward": {"kind": "categorical", "categories": ["a", "b"]},
    "id": {"role": "identifier"},
    "family": {"role": "identifier"},
}
PATIENTS = 1500


def config(**changes):
    values = {
        "study": "small",
        "extract": "x.csv",
        "subject_id": "id",
        "group": "family",
        "outcome": {"column": "died", "event": 1},
        "columns": {"columns": COLUMNS},
        "evaluation": {"arms": ["none"], "classifiers": ["logistic_regression"], "bootstrap": 60},
        "promotion": {"new_patients": 0.01},
    }
    return CohortConfig.model_validate(values | changes)


def cohort(n, *, first=0):
    """Return patients ``first`` to ``first + n``, in families of two; each is the same in every extract."""
    number = np.arange(first, first + n)
    rng = [np.random.default_rng(one) for one in number]
    severity = np.array([one.normal() for one in rng])
    event = np.array([one.random() for one in rng]) < 1 / (1 + np.exp(2 - 1.5 * severity))
    return Cohort(
        features=pd.DataFrame(
            {"severity": severity, "ward": pd.Categorical.from_codes([one.integers(2) for one in rng], ["a", "b"])}
        ),
        event=event,
        subject=np.array([f"patient-{one}-zebra" for one in number], dtype=object),
        group=number // 2,
        group_name=np.array([f"family-{one // 2}" for one in number], dtype=object),
        subgroups=pd.DataFrame(index=range(n)),
        index_date=None,
        flow=(),
    )


@dataclass(frozen=True)
class Night:
    """A run: its folder and its artifacts."""

    config: CohortConfig
    folder: Path
    folders: dict[str, Path]

    @property
    def run_id(self):
        return self.folder.name


class Nights:
    """A study whose runs come one after the other."""

    def __init__(self, out, where=None):
        self.out = out
        self.where = where
        self.store = open_store(out, where)

    @property
    def study(self):
        return self.out / "small"

    def night(
        self,
        run_id,
        *,
        n=PATIENTS,
        first=0,
        status="pass",
        spoilt=False,
        joined_wrongly=False,
        settings=None,
        seed=0,
        extract=None,
        judged=False,
    ):
        """Leave a run as the flow does, `latest` included; the model of a spoilt one has learned from shuffled outcomes.

        ``judged``: drift of the ``extract`` was judged.
        """
        chosen = settings or config()
        people = cohort(n, first=first)
        if joined_wrongly:
            people = replace(people, event=np.random.default_rng(2).permutation(people.event))
        test = holdout(people, chosen.split, seed=seed)
        train = people.take(~test)
        if spoilt:
            train = replace(train, event=np.random.default_rng(1).permutation(train.event))
        made = fit_deployed(train, chosen, arm="none", classifier="logistic_regression")
        writers = {
            "split": lambda folder: save_cohort(folder, people, test),
            "model": lambda folder: save_deployed(folder, made, people, test),
        }
        references = {stage: self.store.save(stage, write, about={}) for stage, write in writers.items()}
        folders = {stage: self.store.folder(one) for stage, one in references.items()}
        artifacts = {stage: one.sha256 for stage, one in references.items()}
        published = self._publish(run_id, status, chosen, folders, artifacts, extract, judged)
        return Night(chosen, published, folders | ({"drift": published} if judged else {}))

    def _publish(self, run_id, status, chosen, folders, artifacts, extract=None, judged=False):
        folder = self.study / run_id
        folder.mkdir(parents=True)
        (folder / PREDICTIONS).write_bytes((folders["model"] / PREDICTIONS).read_bytes())
        drift = {"before": None, "profile": {"extract_sha256": extract, "rows": 1, "columns": {}}} if judged else None
        (folder / "report.json").write_text(json.dumps({"run_id": run_id, "status": status, "drift": drift}))
        manifest = {
            "study": "small",
            "run_id": run_id,
            "created_at": f"2026-01-{len(list(self.study.iterdir())):02}T00:00:00+00:00",
            "status": status,
            "lineage": {"artifacts": artifacts, "config_sha256": config_sha256(chosen), "extract_sha256": extract},
            "config": chosen.model_dump(mode="json", exclude={"extract", "stages"}),
            "files": {path.name: digest_file(path) for path in sorted(folder.iterdir())},
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        set_link(self.study / LATEST, run_id)
        note_run(self.store, self.out, manifest)
        return folder

    def consider(self, night):
        return consider(night.config, self.store, self.out, night.folder, night.folders)

    def lines(self):
        return [json.loads(line) for line in (self.study / "audit.jsonl").read_text().splitlines()]

    @property
    def champion(self):
        return (self.study / "champion").resolve().name

    def state(self):
        """Return the bytes of the log, where the link points, and the predictions behind it."""
        return (
            (self.study / "audit.jsonl").read_bytes(),
            (self.study / "champion").readlink(),
            (self.study / "champion" / PREDICTIONS).read_bytes(),
        )


def split_of(night):
    return load_cohort(night.folders["split"])


def taken_up(nights, run_id):
    """Return a night that is there already."""
    folder = nights.study / run_id
    artifacts = json.loads((folder / "manifest.json").read_text())["lineage"]["artifacts"]
    folders = {stage: nights.store.folder(Reference(stage, sha256)) for stage, sha256 in artifacts.items()}
    return Night(config(), folder, folders)


def considered(nights, run_id):
    return nights.consider(taken_up(nights, run_id))
