"""Run a study as the flow mgvae-cohort, from its extract to its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from prefect import State, flow, get_run_logger, task

from flows.allowed_paths import require_allowed, require_allowed_extract
from flows.inbox.selection import select_extracts
from flows.redaction import redact_errors, unpickled
from flows.runs.accepted import accepted_profiles
from flows.runs.accepted_drift import accepted_extracts
from flows.runs.audit_log import read as read_log
from flows.runs.champion import Decision, consider
from flows.runs.drift_reference import drift_baseline
from flows.runs.guard import guarded
from flows.runs.holdout_use import current_window
from flows.runs.promotion_record import foresee
from flows.runs.publish import publish
from flows.runs.registry import note_run
from flows.study.cache_key import code_digest, stage_key
from flows.study.event_tables import runnable
from flows.study.findings import with_promotion
from flows.study.lineage import FinishedStage, config_sha256, place_of
from flows.study.outcome import final_state
from flows.study.placement import place
from flows.study.prefect_pages import announce_end, announce_unjudged, note_failure, posting, show_head, show_run
from flows.study.report_assembly import Sources, complete_report, refused_report
from flows.study.side_by_side import Companion
from flows.study.stage_cost import cost_of
from flows.study.stage_runner import StageCall, StageResult, current_place, make_here, run_or_reuse
from flows.study.stages.registry import BESIDE, DRIFT, ON_VALID_EXTRACT, VALIDATE
from flows.study.stages.stage import VALIDATION, Stage, read_result
from flows.study.stages.validate import check_extract_unchanged
from flows.study.worker_pool import current_pool, prepare_workers, shared_pool
from mgvae.classifiers.own import remarks_on
from mgvae.config.study import CohortConfig, load_config
from mgvae.evaluation.parallel import ProcessPool
from mgvae.extract.parts import digest as extract_digest
from mgvae.extract.parts import find_parts
from mgvae.report.schema import Report
from mgvae.results.cohort import ExtractRecord
from mgvae.store.artifact import Reference, digest
from mgvae.store.open import AnyStore, open_store

REPORT = "report.json"


@flow(
    name="mgvae-cohort",
    persist_result=False,
    validate_parameters=True,
    on_failure=[note_failure],
    on_crashed=[note_failure],
    on_cancellation=[note_failure],
)
@unpickled
def cohort_flow(
    cohort: str,
    extract: str | None = None,
    out: str = "runs",
    seed: int | None = None,
    settings: list[str] | None = None,
    store: str | None = None,
    inbox: str | None = None,
    promote: bool = False,
    or_newer: bool = False,
) -> State[dict[str, Any]]:
    """Run a study from its extract to its report.

    Args:
        cohort: path of cohort.yaml; from event tables (its section `source`) the extract is built first.
        extract: path or URL that replaces the configured extract; with ``inbox``, one that landed there.
        out: folder of the runs.
        seed: replaces the configured seed.
        settings: further ``key=value`` changes of the configuration.
        store: folder or URL of the artifact store, see `open_store`; it holds no credentials.
        inbox: where `mgvae land` puts extracts: without ``extract``, the newest of the study is taken, if any has landed.
        promote: make the run the study's champion if the rule says so, see `flows.runs.champion.consider`.
        or_newer: with ``extract``, take a newer one of the inbox instead where one has landed, at the start and at the end.

    Returns:
        A state with ``{run, status, exit_code}``: the run folder, what the report says, and the command line's exit code; see
        `flows.study.outcome.final_state`. Where a newer extract landed meanwhile, it is that of the run on the newer one.
    """
    with guarded(), redact_errors():
        require_allowed(cohort, "cohort")
        require_allowed(out, "out")
        config = load_config(
            runnable(Path(cohort)),
            settings=tuple(settings or ()),
            extract=extract,
            seed=seed,
            allow=lambda path: require_allowed(str(path), "dictionary"),
        )
        if inbox is not None:
            require_allowed(inbox, "inbox")
            if extract is not None and not or_newer:
                inbox = None
        extracts = select_extracts(config, Path(inbox), given=extract is not None) if inbox else iter([(config, "")])
        folder = Path(out).resolve()
        require_allowed(str(folder / config.study), "out")  # it may be a link
        artifacts = open_store(folder, store)
        require_allowed(artifacts.label, "store")
        for remark in remarks_on(config.evaluation.own_classifiers):
            get_run_logger().warning(remark)
        with posting(config.study):
            for selected, reason in extracts:
                require_allowed_extract(selected.extract)
                state = _carry_out(selected, artifacts, folder, promote=promote, reason=reason)
        return state


def _carry_out(config: CohortConfig, store: AnyStore, out: Path, *, promote: bool, reason: str) -> State[dict[str, Any]]:
    if reason:
        get_run_logger().info(reason)
    if promote:
        config = _with_window(config, out)
    run = _StudyRun(config, store, out)
    valid = run.stages()
    report = run.report(valid=valid)
    foreseen = foresee(config, store, out, report, run.folders) if promote else None
    if foreseen is not None:
        report = with_promotion(report, foreseen.record, config.findings.mute)
    content = report.model_dump(mode="json")
    folder = _publish(config, content, run.folders, out)
    note_run(store, out, content)
    remarks = [reason] if reason.startswith("Superseded") else []
    if run.reused:
        remarks.append(f"Nothing new: extract, settings and code are those of run {report.run_id}.")
    known = (foreseen.lines, foreseen.comparison) if foreseen is not None and foreseen.comparison is not None else None
    decision = consider(config, store, out, folder, run.folders, known) if promote else None
    if decision is not None:
        remarks.append(_considered(decision))
        show_head(folder.parent)
    for remark in remarks:
        get_run_logger().info(remark)
    show_run(report, folder, remarks=remarks)
    judged = decision is None or decision.finding is None
    if not judged:
        announce_unjudged(report)
    state = final_state(report, folder, remarks, judged=judged)
    announce_end(report, state.message or "")
    return state


def _with_window(config: CohortConfig, out: Path) -> CohortConfig:
    """Return the configuration with the random hold-out that is due, see `mgvae.config.promotion.Promotion.most_nights`."""
    window = current_window(read_log(out / config.study)[0])
    split = config.split.model_copy(update={"window": max(window, config.split.window)})
    return config.model_copy(update={"split": split})


def _considered(decision: Decision) -> str:
    for warning in (decision.warning, decision.finding and decision.reason):
        if warning:
            get_run_logger().warning(warning)
    champion = f"The champion is run {decision.champion}." if decision.champion else "There is no champion."
    code = f" {decision.finding.code}: {decision.finding.title}. {decision.finding.remedy}" if decision.finding else ""
    return f"Run {decision.run_id}: {decision.action.replace('_', ' ')}. {decision.reason}{code} {champion}"


@dataclass
class _StudyRun:
    """A run in progress: the stages that have ended, and their artifacts."""

    config: CohortConfig
    store: AnyStore
    out: Path
    folders: dict[str, Path] = field(default_factory=dict)
    passed: list[FinishedStage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.extract_sha256 = extract_digest(find_parts(self.config.extract))
        accepted = accepted_extracts(self.out / self.config.study)
        self.baseline = drift_baseline(self.config, self.store, self.out, self.extract_sha256, accepted)

    @property
    def reused(self) -> bool:
        """Whether every stage was taken from an earlier run."""
        return all(stage.cached for stage in self.passed)

    def planned(self) -> tuple[Stage, ...]:
        """Return the stages for a valid extract; with drift if there is a baseline."""
        return ((DRIFT,) if self.baseline.run else ()) + ON_VALID_EXTRACT

    def stages(self) -> bool:
        """Run all stages, some of them side by side where the cores of this machine compute the cells.

        Returns:
            Whether the extract is valid; if not, no other stage has run.
        """
        with shared_pool() as pool:
            self.stage(VALIDATE, extract_sha256=self.extract_sha256)
            check_extract_unchanged(self.folders["validate"], self.extract_sha256)
            if not read_result(self.folders["validate"] / VALIDATION, ExtractRecord).passed:
                if pool is not None:
                    pool.shutdown(wait=False)
                return False
            if pool is None or self.config.stages or self.config.training.processes > 1:
                for stage in self.planned():
                    self.stage(stage)
            else:
                self._side_by_side(pool)
        return True

    def _side_by_side(self, pool: ProcessPool) -> None:
        others = {stage.name for stages in BESIDE.values() for stage in stages}
        with Companion(pool) as companion:
            for stage in self.planned():
                if others & set(stage.needs):
                    companion.join()
                if stage.name in BESIDE:
                    companion.start(partial(self._beside, BESIDE[stage.name], pool))
                if stage.name not in others:
                    self.stage(stage)
        order = [stage.name for stage in (VALIDATE, *self.planned())]
        self.passed.sort(key=lambda done: order.index(done.name))

    def _beside(self, stages: Sequence[Stage], pool: ProcessPool) -> None:
        for stage in stages:
            self.stage(stage, pool)

    def stage(self, stage: Stage, pool: ProcessPool | None = None, **extra: str) -> None:
        """Run a stage here, in a worker of ``pool`` or in its work pool, or reuse what an earlier run made."""
        known = {done.name: done.reference for done in self.passed}
        if self.baseline.run:
            known["reference"] = self.baseline.run.artifact
        inputs = {name: known[name] for name in stage.needs}
        call = StageCall(stage, self.config, inputs, extra)
        self._add(stage.name, run_or_reuse(stage.name, call.key, lambda: self._make(call, pool), self.store))

    def _make(self, call: StageCall, workers: ProcessPool | None) -> Reference:
        pool = {str(name): pool for name, pool in self.config.stages.items()}.get(call.stage.name)
        if call.stage is VALIDATE and pool is None and (prepared := current_pool()) is not None:
            prepare_workers(prepared)
        return make_here(call, self.store, workers) if pool is None else place(call, pool, self.store, self.out)

    def report(self, *, valid: bool) -> Report:
        """Return the report; its artifact holds report.json and the page."""
        passed = tuple(self.passed)
        inputs = {done.name: done.reference for done in passed}
        code = digest(code_digest("flows.study.report_assembly", "mgvae.report.render"))
        baseline = self.baseline.run.artifact.sha256 if self.baseline.run else self.baseline.skipped_because
        history = accepted_profiles(self.out / self.config.study, self.extract_sha256) if self.baseline.run else ()
        read = {"config": config_sha256(self.config), "seed": self.config.seed, "baseline": baseline}
        if history:
            read["history"] = digest([one.extract_sha256 for one in history])
        key = stage_key("report", code=code, parameters=read, inputs=inputs)

        def write(folder: Path) -> None:
            from mgvae.report.render import write_page

            sources = Sources(self.config, self.extract_sha256, self.folders, passed, self.baseline, history)
            facts = complete_report(sources) if valid else refused_report(sources)
            text = json.dumps(facts.model_dump(mode="json"), indent=1, allow_nan=False)
            (folder / REPORT).write_text(text, encoding="utf-8")
            write_page(facts, folder)

        about = {"stage": "report", "code": code, "inputs": {name: reference.sha256 for name, reference in inputs.items()}}
        about["ran"] = current_place()
        self._add("report", run_or_reuse("report", key, lambda: self.store.save("report", write, about=about), self.store))
        return read_result(self.folders["report"] / REPORT, Report)

    def _add(self, name: str, result: StageResult) -> None:
        self.folders[name] = result.folder
        made = place_of(result.folder), cost_of(result.folder)
        self.passed.append(FinishedStage(name, result.reference, result.seconds, result.cached, *made))


@task(name="publish", task_run_name="publish", persist_result=False)
def _publish(config: CohortConfig, report: dict[str, Any], folders: dict[str, Path], out: Path) -> Path:
    with redact_errors():
        return publish(config, report, folders, out)
