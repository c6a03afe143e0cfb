"""Decide, before a run is published, whether it becomes champion: its report says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.runs.audit_log import BY_HAND, Change, read
from flows.runs.champion import decide
from flows.runs.comparison import CANNOT_JUDGE, MUTED, Candidate, Comparison, History
from mgvae.config.study import CohortConfig
from mgvae.report.schema import Report
from mgvae.results.findings import found
from mgvae.results.promotion import HoldoutPool, HoldoutUse, PromotionRecord
from mgvae.store.open import AnyStore


@dataclass(frozen=True)
class Foreseen:
    """What `flows.runs.champion.consider` will decide, if nobody changes the audit log meanwhile.

    Attributes:
        record: for the report.
        lines: of the audit log.
        comparison: with the champion; None where it was decided before.
    """

    record: PromotionRecord
    lines: int
    comparison: Comparison | None = None


def foresee(config: CohortConfig, store: AnyStore, out: Path, report: Report, folders: Mapping[str, Path]) -> Foreseen | None:
    """Return what will be decided of a run; what was decided first, if it was considered before.

    A run folder that is made anew has the same bytes then, as the audit log has their digests.

    Args:
        config: the study.
        store: where the artifacts lie.
        out: folder of the runs.
        report: of the run.
        folders: its artifacts by stage.
    Returns:
        None where a person decided of the run first, or the audit log is damaged.
    """
    study = out / config.study
    changes, problems = read(study)
    earlier = next((change for change in changes if change.run_id == report.run_id), None)
    if problems or (earlier is not None and earlier.rule == BY_HAND):
        return None
    if earlier is not None:
        return Foreseen(record_of(earlier), len(changes))
    standing = "unreliable" if report.verdict.status == "unreliable" else report.status
    run = Candidate(report.run_id, standing, {"model": report.lineage.artifacts.get("model")})
    change, comparison = decide(config, store, run, folders, History(study, changes, report.lineage.extract_sha256))
    return Foreseen(record_of(change), len(changes), comparison)


def record_of(change: Change) -> PromotionRecord:
    """Return what a report says of a line of the audit log."""
    use, pool = ((change.comparison or {}).get(name) for name in ("use", "pool"))
    detail = change.reason.removeprefix(CANNOT_JUDGE).partition(MUTED)[0]
    return PromotionRecord.model_validate(
        {
            "outcome": change.action,
            "reason": change.reason,
            "previous": change.previous,
            "use": None if use is None else HoldoutUse.model_validate(use),
            "pool": None if pool is None else HoldoutPool.model_validate(pool),
            "finding": None if change.finding is None else found(change.finding, detail),
        }
    )
