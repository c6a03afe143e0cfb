"""The flow mgvae-cohort: validate, split, encode, pretrain, finetune, synthesise, assess, evaluate, report, publish."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.serializers import JSONSerializer

from flows.caching import digest, forget_if_unusable, records, share_record, stage_key
from flows.codeversion import code_digest, function_digest
from flows.facts import Passed, complete, config_sha256, refused
from flows.progress import reporter
from flows.publish import publish
from flows.roots import confine
from flows.runs import note_run
from flows.stages import STAGES, Stage, check_extract_unchanged
from flows.stores import AnyStore, open_store
from flows.withheld import withheld
from mgvae.config import CohortConfig, load_config
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.reading.parts import digest as extract_digest
from mgvae.reading.parts import find_parts
from mgvae.store import Reference

PLAIN_JSON = JSONSerializer(object_encoder=None, object_decoder=None)
EXIT = {"pass": 0, "warn": 0, "fail": 2, "invalid": 2}
TRIES = 3  # an artifact that another process removes between its making and its reading is made again


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
    run = _Run(config, store)
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
    folders: dict[str, Path] = field(default_factory=dict)
    passed: list[Passed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.extract_sha256 = extract_digest(find_parts(self.config.extract))

    def stage(self, stage: Stage, **parameters: str) -> None:
        """Run a stage, or take what an earlier run with the same content made of it."""
        inputs = {done.name: done.reference for done in self.passed if done.name in stage.needs}
        code = digest([code_digest(*stage.modules), function_digest(stage.make)])
        read = {**stage.reads(self.config), **parameters}
        key = stage_key(stage.name, code=code, parameters=read, inputs=inputs)
        about = {
            "stage": stage.name,
            "parameters": read,
            "inputs": {name: one.sha256 for name, one in inputs.items()},
            "code": code,
        }
        self._perform(stage.name, key, lambda folder: stage.make(self.config, self.folders, folder), about)

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

        self._perform(
            "report",
            key,
            write,
            {"stage": "report", "code": code, "inputs": {name: one.sha256 for name, one in inputs.items()}},
        )
        return dict(json.loads((self.folders["report"] / "report.json").read_text(encoding="utf-8")))

    def _perform(self, name: str, key: str, write: Any, about: Mapping[str, Any]) -> None:
        reporter().started(name)
        start = time.perf_counter()
        for left in reversed(range(TRIES)):
            reference, cached = self._made(name, key, write, about)
            try:
                self.folders[name] = self.store.folder(reference)
                break
            except (MissingArtifactError, DamagedArtifactError):
                if not left:
                    raise
        share_record(self.store, key, reference)
        self.passed.append(Passed(name, reference, time.perf_counter() - start, cached))
        reporter().ended(name, cached=cached)

    def _made(self, name: str, key: str, write: Any, about: Mapping[str, Any]) -> tuple[Reference, bool]:
        """Return the artifact of a stage, and whether an earlier run made it."""
        wrong = forget_if_unusable(self.store, key)
        if wrong:
            get_run_logger().warning("%s It is made again.", wrong)
        keeper = run_stage.with_options(name=name, task_run_name=name, result_storage=records(self.store))
        state = keeper(key, lambda: self.store.save(name, write, about=about), return_state=True)
        return Reference(**state.result()), state.name == "Cached"


@task(persist_result=True, result_serializer=PLAIN_JSON, cache_key_fn=lambda context, parameters: parameters["key"])
def run_stage(key: str, make: Any) -> dict[str, str]:
    """Return the reference of the artifact that ``make`` stores; Prefect reuses it wherever ``key`` is the same."""
    with withheld():
        reference: Reference = make()
    return reference.to_json()


@task(name="publish", task_run_name="publish", persist_result=False)
def _publish(config: CohortConfig, report: dict[str, Any], folders: dict[str, Path], out: Path) -> Path:
    with withheld():
        return publish(config, report, folders, out)
