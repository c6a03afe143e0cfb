"""The flow mgvae-cohort: validate, split, encode, pretrain, finetune, synthesise, assess, evaluate, report, publish."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.caching import digest, stage_key
from flows.codeversion import code_digest
from flows.facts import Passed, complete, config_sha256, ran, refused
from flows.placement import place
from flows.publish import publish
from flows.roots import confine
from flows.runs import note_run
from flows.stages import STAGES, Stage, check_extract_unchanged
from flows.stores import AnyStore, open_store
from flows.withheld import withheld
from flows.work import Done, Order, make_here, perform, whereabouts
from mgvae.config import CohortConfig, load_config
from mgvae.reading.parts import digest as extract_digest
from mgvae.reading.parts import find_parts
from mgvae.store import Reference

EXIT = {"pass": 0, "warn": 0, "fail": 2, "invalid": 2}


@flow(name="mgvae-cohort", persist_result=False, validate_parameters=True)
def cohort_flow(
    cohort: str,
    extract: str | None = None,
    out: str = "runs",
    seed: int | None = None,
    settings: list[str] | None = None,
    store: str | None = None,
) -> dict[str, Any]:
    """Run a study from its extract to its report.

    Args:
        cohort: path of cohort.yaml.
        extract: path or URL that replaces the configured extract.
        out: folder of the runs.
        seed: replaces the configured seed.
        settings: further ``key=value`` changes of the configuration.
        store: folder or URL of the artifact store, see `open_store`; it holds no credentials.

    Returns:
        ``{run, status, exit_code}``: the run folder, what the report says, and the command line's exit code.
    """
    with withheld():
        confine(cohort, "cohort")
        confine(out, "out")
        config = load_config(Path(cohort), settings=tuple(settings or ()), extract=extract, seed=seed)
        confine(config.extract, "extract")
        folder = Path(out).resolve()
        kept = open_store(folder, store)
        confine(kept.shown, "store")
        return _carry_out(config, kept, folder)


def _carry_out(config: CohortConfig, store: AnyStore, out: Path) -> dict[str, Any]:
    run = _Run(config, store, out)
    run.stage(STAGES[0], extract_sha256=run.extract_sha256)
    check_extract_unchanged(run.folders["validate"], run.extract_sha256)
    valid = json.loads((run.folders["validate"] / "validation.json").read_text(encoding="utf-8"))["passed"]
    for stage in STAGES[1:] if valid else ():
        run.stage(stage)
    report = run.report(valid=valid)
    folder = _publish(config, report, run.folders, out)
    note_run(store, out, report)
    return {"run": str(folder), "status": report["status"], "exit_code": EXIT[report["status"]]}


@dataclass
class _Run:
    """One run at work: which stages have ended, and where their artifacts lie."""

    config: CohortConfig
    store: AnyStore
    out: Path
    folders: dict[str, Path] = field(default_factory=dict)
    passed: list[Passed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.extract_sha256 = extract_digest(find_parts(self.config.extract))

    def stage(self, stage: Stage, **more: str) -> None:
        """Run a stage, here or where the configuration places it, or take what an earlier run with the same content made."""
        inputs = {done.name: done.reference for done in self.passed if done.name in stage.needs}
        order = Order(stage, self.config, inputs, more)
        self._note(stage.name, perform(stage.name, order.key, lambda: self._make(order), self.store))

    def _make(self, order: Order) -> Reference:
        pool = {str(name): pool for name, pool in self.config.stages.items()}.get(order.stage.name)
        return make_here(order, self.store) if pool is None else place(order, pool, self.store, self.out)

    def report(self, *, valid: bool) -> dict[str, Any]:
        """Return report.json's content; the report's artifact holds the page too."""
        passed = tuple(self.passed)
        inputs = {done.name: done.reference for done in passed}
        code = digest(code_digest("flows.facts", "mgvae.report"))
        key = stage_key(
            "report", code=code, parameters={"config": config_sha256(self.config), "seed": self.config.seed}, inputs=inputs
        )

        def write(folder: Path) -> None:
            from mgvae.report import render

            facts = (complete if valid else refused)(self.config, self.extract_sha256, self.folders, passed)
            text = json.dumps(facts, indent=1, allow_nan=False)
            (folder / "report.json").write_text(text, encoding="utf-8")
            (folder / "report.html").write_text(render(json.loads(text)), encoding="utf-8")

        about = {"stage": "report", "code": code, "inputs": {name: one.sha256 for name, one in inputs.items()}}
        about["ran"] = whereabouts()
        self._note("report", perform("report", key, lambda: self.store.save("report", write, about=about), self.store))
        return dict(json.loads((self.folders["report"] / "report.json").read_text(encoding="utf-8")))

    def _note(self, name: str, done: Done) -> None:
        self.folders[name] = done.folder
        self.passed.append(Passed(name, done.reference, done.seconds, done.cached, ran(done.folder)))


@task(name="publish", task_run_name="publish", persist_result=False)
def _publish(config: CohortConfig, report: dict[str, Any], folders: dict[str, Path], out: Path) -> Path:
    with withheld():
        return publish(config, report, folders, out)
