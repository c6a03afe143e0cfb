"""Accept a change of the extract on record: a person says that drift is real and wanted."""

from __future__ import annotations

import json
from pathlib import Path

from flows.runs.audit_log import BY_HAND, Change, champions, opened, read
from flows.runs.folder import manifest_of
from mgvae.errors import ConfigError, StoreError

REPORT, EXTRACT = "report.json", "extract"


def accept_drift(run: Path, *, reason: str) -> Change:
    """Write down that the extract of a refused run is accepted.

    It is not compared with an earlier one any more, and the next extract is compared with it. Gates on the synthetic cases, and
    the champion's rule, hold as before.

    Args:
        run: the run folder, or a link to it.
        reason: why the change is real and wanted, for the audit log.
    Raises:
        ConfigError: no reason, no run folder, no failed gate on drift, or it is accepted already.
        StoreError: the report or the audit log is damaged.
    """
    if not reason.strip():
        raise ConfigError("--reason must say why, in a few words: the audit log keeps it.")
    extract = manifest_of(run).lineage.extract_sha256
    folder = run.resolve()
    try:
        drift = json.loads((folder / REPORT).read_bytes()).get("drift") or {}
        failed = [gate["label"] for gate in drift.get("gates", ()) if gate["verdict"] == "fail"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise StoreError(f"{folder / REPORT}: must be the report of a run; it is damaged.") from None
    if not failed or extract is None:
        raise ConfigError(f"{run}: must be a run that was refused because its extract drifted; no gate on drift failed.")
    with opened(folder.parent) as log:
        if extract in _accepted(log.changes):
            raise ConfigError(f"{run}: its extract is accepted already. Run the study on it again, with --promote.")
        now = (champions(log.changes) or (None,))[-1]
        words = f"{reason.strip()} Drift accepted: {', '.join(failed)}."
        before = None if now is None else now.run_id
        return log.append(Change("accepted", folder.name, before, words, BY_HAND, None, {EXTRACT: extract}))


def accepted_extracts(study: Path) -> frozenset[str]:
    """Return the digests of extracts whose drift a person accepted; none where the audit log is damaged."""
    return _accepted(read(study)[0])


def _accepted(changes: tuple[Change, ...]) -> frozenset[str]:
    return frozenset(str(change.sha256.get(EXTRACT)) for change in changes if change.action == "accepted")
