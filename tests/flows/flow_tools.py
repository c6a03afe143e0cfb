"""What the tests of the flow share: run a study, read what it made, listen to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from flows.study.flow import cohort_flow
from flows.study.outcome import result_of
from flows.study.stages.registry import STAGES
from mgvae.store.artifact import Reference
from mgvae.store.local import Store

NAMES = [stage.name for stage in STAGES]


def run_study(cohort, out, *settings, **options):
    """Run; return the result and the report."""
    result = result_of(cohort_flow, str(cohort), out=str(out), settings=list(settings), **options)
    return result, read(result)


def read(result):
    return json.loads((Path(result["run"]) / "report.json").read_text(encoding="utf-8"))


def artifact(out, report, stage):
    return Store(out / ".store").folder(Reference(stage, report["lineage"]["artifacts"][stage]))


def cached(report):
    return [stage["name"] for stage in report["lineage"]["stages"] if stage["cached"]]


def fresh_from(finished, tmp_path, stage):
    """Return a copy of the runs in which ``stage`` and the run folder are to be made again."""
    out = finished.copied(tmp_path)
    for record in (out / ".store" / "records").glob(f"{stage}-*"):
        record.unlink()
    shutil.rmtree(out / "small")
    return out


def holding(text, *places):
    """Return the files in which ``text`` occurs, also as a database or a journal spells it."""
    files = [path for place in places for path in ([place] if place.is_file() else place.rglob("*"))]
    return [path for path in files if path.is_file() and text.encode() in path.read_bytes()]


class Heard:
    """Listens to a run's progress."""

    def __init__(self, monkeypatch):
        self.stages = []
        monkeypatch.setattr("flows.study.stage_runner.reporter", lambda: self)

    def started(self, stage):
        self.at = stage

    def advanced(self, done, total, note=""):
        raise AssertionError("only the stages advance")

    def ended(self, stage, *, cached):
        assert stage == self.at
        self.stages.append((stage, cached))


class Warned:
    """Keeps what a run warns of."""

    def __init__(self, monkeypatch):
        self.messages = []
        monkeypatch.setattr("flows.study.stage_runner.get_run_logger", lambda: self)

    def warning(self, text, *arguments):
        self.messages.append(text % arguments)
