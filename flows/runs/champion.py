"""Choose the champion of a study: the run whose model and predictions serve.

The audit log decides who is champion; the link ``champion`` beside the runs follows it. A change is written to the log first,
and only when it lasts does the link move, in one step. A process that is killed in between leaves the old champion in place;
the next one that changes anything moves the link to where the log says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.runs.audit_log import BY_HAND, LOG, Change, Log, champions, last_move, opened
from flows.runs.comparison import (
    Candidate,
    Comparison,
    History,
    compare_with_champion,
    first_judgement,
    unfit_to_serve,
    with_muted,
)
from flows.runs.folder import AGAIN, CHAMPION, PASSED, finished_run, is_whole, link_target, manifest_of, set_link
from flows.runs.holdout_use import note_use
from flows.runs.registry import note_champions
from mgvae.config.study import CohortConfig
from mgvae.errors import ConfigError, StoreError, reason_of
from mgvae.evaluation.promotion import rule
from mgvae.results.findings import Finding
from mgvae.store.artifact import MANIFEST
from mgvae.store.open import AnyStore, open_store

REFUSED = {
    "invalid": "Its extract failed validation.",
    "fail": "A gate failed; its report says which.",
    "unreliable": "A severe finding says that it is not to be relied on; its report says which.",
}


@dataclass(frozen=True)
class Decision:
    """What was decided of a run.

    Attributes:
        action: promoted, kept, refused, cannot_judge, or unchanged: the same was decided of the same run before, and nothing
            was written.
        run_id: the run.
        champion: the study's champion now; None for none.
        reason: why, in words without any patient's value.
        comparison: the numbers; None where there are none.
        warning: what a person must see to; None for nothing.
        finding: why nobody can judge; None if one can.
    """

    action: str
    run_id: str
    champion: str | None
    reason: str
    comparison: Mapping[str, Any] | None = None
    warning: str | None = None
    finding: Finding | None = None


def consider(
    config: CohortConfig,
    store: AnyStore,
    out: Path,
    run_folder: Path,
    folders: Mapping[str, Path],
    known: tuple[int, Comparison] | None = None,
) -> Decision:
    """Make a run champion if `mgvae.evaluation.promotion.rule` says so.

    Args:
        config: the study.
        store: where the artifacts lie.
        out: folder of the runs.
        run_folder: the run, published.
        folders: its artifacts by stage; of them ``split`` and ``model`` are read, and ``drift`` says that it was judged.
        known: the comparison, if it was made when the audit log had so many lines.
    Raises:
        StoreError: the audit log is damaged or cannot be written, or the link cannot be moved; the champion stays.
    """
    study = out / config.study
    run = Candidate.of(run_folder)
    with opened(study) as log:
        broken = _repair_link(study, log)
        serving = champions(log.changes)
        now = serving[-1] if serving else None
        if now is not None and now.run_id == run.run_id:
            return Decision("unchanged", run.run_id, now.run_id, "It is the champion already.", warning=broken)
        made = known[1] if known is not None and known[0] == len(log.changes) else None
        change, found = decide(config, store, run, folders, History(study, log.changes, run.extract), made)
        unusable = f"The champion {change.previous} of {config.study} stays. {found.reason}" if found.broken else None
        warning = " ".join(text for text in (broken, unusable) if text) or None
        written = any(_same(change, earlier) for earlier in _since_last_move(log.changes))
        if not written and change.action == "promoted":
            _move(study, store, log, change)
        elif not written:
            log.append(change)
        if not written and len(found.judges):
            note_use(study, found.judges)
        after = run.run_id if change.action == "promoted" else change.previous
        action = "unchanged" if written else change.action
        return Decision(action, run.run_id, after, change.reason, change.comparison, warning, found.finding)


def promote(run: Path, *, reason: str, force: bool = False, store: str | None = None) -> Change:
    """Make a run champion because a person says so, whatever the comparison says.

    Args:
        run: the run folder, or a link to it.
        reason: why, for the audit log.
        force: also where a gate failed, or a severe finding makes the run unreliable.
        store: folder or URL of the artifact store, see `open_store`.
    Raises:
        ConfigError: no reason, no run folder, a failed gate, or the run is champion already.
        StoreError: the run, its model or the audit log is damaged.
    """
    reason = _reason(reason)
    manifest = manifest_of(run)
    if manifest.standing not in PASSED and not (force and manifest.status != "invalid"):
        more = "" if manifest.status == "invalid" else " Fix what the report says, or add --force."
        raise ConfigError(f"{run}: must be a run whose gates passed or only warned; its status is {manifest.standing}.{more}")
    found = finished_run(run, store, needed=("model",))
    folder = run.resolve()
    if not is_whole(folder):
        raise StoreError(f"{folder}: must hold the files that its {MANIFEST} names; one is missing or damaged. {AGAIN}")
    candidate, artifacts = Candidate.of(folder), open_store(folder.parent.parent, store)
    with opened(folder.parent) as log:
        now = (champions(log.changes) or (None,))[-1]
        if now is not None and (now.run_id, now.sha256) == (candidate.run_id, candidate.sha256):
            _repair_link(folder.parent, log)
            raise ConfigError(f"{run}: is the champion already, since {now.at}.")
        before = now.run_id if now else link_target(folder.parent / CHAMPION)
        history = History(folder.parent, log.changes, candidate.extract)
        comparison = None if now is None else _comparison(found.config, artifacts, now, run, store, history)
        lost = f"There was no {LOG}." if now is None and before is not None else None
        why = with_muted(reason, found.config)
        change = Change("promoted", candidate.run_id, before, why, BY_HAND, comparison, candidate.sha256, note=lost)
        return _move(folder.parent, artifacts, log, change)


def rollback(study: Path, *, reason: str, store: str | None = None) -> Change:
    """Bring the champion before the present one back.

    Args:
        study: folder of the study's runs.
        reason: why, for the audit log.
        store: folder or URL of the artifact store, see `open_store`.
    Raises:
        ConfigError: no reason, or there is no champion before this one.
        StoreError: its run folder or the audit log is damaged.
    """
    reason = _reason(reason)
    if not (study / LOG).exists():
        raise ConfigError(f"{study}: must have had a champion before the present one; there is no {LOG}.")
    with opened(study) as log:
        stack = champions(log.changes)
        if len(stack) < 2:
            there = f"only {stack[-1].run_id} has been one" if stack else "there has been none"
            raise ConfigError(
                f"{study}: must have had a champion before the present one; {there}. See mgvae champion show --log."
            )
        now, before = stack[-1], stack[-2]
        folder = study / before.run_id
        if not is_whole(folder):
            raise StoreError(f"{folder}: must hold the files that its {MANIFEST} names; one is missing or damaged. {AGAIN}")
        change = Change("rolled_back", before.run_id, now.run_id, reason, BY_HAND, None, Candidate.of(folder).sha256)
        return _move(study, open_store(study.resolve().parent, store), log, change)


def decide(
    config: CohortConfig,
    store: AnyStore,
    run: Candidate,
    folders: Mapping[str, Path],
    log: History,
    made: Comparison | None = None,
) -> tuple[Change, Comparison]:
    """Return the change that the rule asks for, and what came of the comparison, which may be made already."""
    now = (champions(log.changes) or (None,))[-1]
    found = made or _judged(config, store, run, folders, log)
    action: Any = "refused" if run.status not in PASSED else found.outcome
    why = with_muted(found.reason, config)
    before = None if now is None else now.run_id
    code = found.finding.code if found.finding else None
    change = Change(action, run.run_id, before, why, rule(config.promotion), found.comparison, run.sha256, finding=code)
    return change, found


def _judged(config: CohortConfig, store: AnyStore, run: Candidate, folders: Mapping[str, Path], log: History) -> Comparison:
    now = (champions(log.changes) or (None,))[-1]
    if run.status not in PASSED:
        return Comparison("kept", REFUSED[run.status])
    stays = _withdrawn(run, log.changes) or unfit_to_serve(folders)
    if stays is not None:
        return Comparison("kept", stays)
    if now is None:
        first = first_judgement(config, folders)
        if first is not None:
            return Comparison(first.outcome, first.reason, finding=first.finding)
        return Comparison("promoted", "It is the first run whose gates passed.")
    model = now.sha256.get("model")
    if model == run.sha256["model"]:
        return Comparison("promoted", "It has the champion's own model, so there is nothing to compare.")
    return compare_with_champion(config, store, model, folders, log)


def _withdrawn(run: Candidate, changes: Sequence[Change]) -> str | None:
    """Return why a run must not be promoted again without a person; None if it may."""
    if any(change.action == "promoted" and change.run_id == run.run_id for change in changes):
        return "It has been champion before, and another took its place. Only a person brings it back."
    models = {change.run_id: change.sha256["model"] for change in changes if change.sha256.get("model")}
    taken = {models.get(change.previous) for change in changes if change.action == "rolled_back" and change.previous}
    if run.sha256["model"] in taken - {change.sha256.get("model") for change in champions(changes)}:
        return "It has the model of a champion that a person rolled back. Only a person brings it back."
    return None


def _comparison(
    config: CohortConfig, store: AnyStore, now: Change, run: Path, location: str | None, history: History
) -> Mapping[str, Any] | None:
    """Return the numbers for a run that a person promotes; None if unavailable."""
    try:
        judged = {"drift"} & set(manifest_of(run).lineage.artifacts)
        folders = finished_run(run, location, needed=("split", "model", *judged)).folders
    except StoreError:
        return None
    return compare_with_champion(config, store, now.sha256.get("model"), folders, history).comparison


def _move(study: Path, store: AnyStore, log: Log, change: Change) -> Change:
    """Write a change of champion down, then let the link follow."""
    serving = [champion.run_id for champion in champions((*log.changes, change))[-2:]]
    note_champions(store, study.parent, study.name, sorted({*serving, *([change.previous] if change.previous else [])}))
    written = log.append(change)
    _link(study, change.run_id)
    return written


def _link(study: Path, run_id: str) -> None:
    try:
        set_link(study / CHAMPION, run_id)
    except OSError as error:
        raise StoreError(f"The link {study / CHAMPION} must be writable with space left; {reason_of(error)}.") from None


def _repair_link(study: Path, log: Log) -> str | None:
    """Repair the champion link after an interrupted change; return what cannot be.

    Raises:
        StoreError: there is a champion and no log of how it came to be.
    """
    last, linked = last_move(log.changes), link_target(study / CHAMPION)
    if last is None:
        if linked is not None:
            raise StoreError(
                f"{study / LOG} must tell how {linked} became champion; it is lost. Put a copy of it back, or begin anew with "
                f"mgvae champion promote {study / linked} --reason ..."
            )
        return None
    if not is_whole(study / last.run_id):
        return f"The run folder {study / last.run_id} of the champion is missing or damaged. {AGAIN}"
    if linked != last.run_id:
        _link(study, last.run_id)
    return None


def _since_last_move(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Return the changes since the present champion; all if there is none."""
    last = last_move(changes)
    return changes if last is None else changes[changes.index(last) + 1 :]


def _same(change: Change, earlier: Change) -> bool:
    """Return whether the same was decided before, however often its judges have judged since."""

    def bare(one: Change) -> Change:
        numbers = one.comparison and {name: value for name, value in one.comparison.items() if name != "use"}
        return replace(one, comparison=numbers, at="", who="", previous_sha256=None, note=None, finding=None)

    return bare(change) == bare(earlier)


def _reason(text: str) -> str:
    if not text.strip():
        raise ConfigError("--reason must say why, in a few words: the audit log keeps it.")
    return text.strip()
