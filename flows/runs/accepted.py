"""The accepted extracts of a study: in numbers, for what drifts slowly, and their runs, whose hold-outs judge together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from flows.runs.accepted_drift import accepted_extracts
from flows.runs.folder import PASSED, RunManifest
from mgvae.results.drift import ExtractProfile
from mgvae.store.artifact import MANIFEST

REPORT = "report.json"
KEYS = ("before", "profile")  # of a report's drift


@dataclass(frozen=True)
class AcceptedRun:
    """A run whose extract was accepted.

    Attributes:
        manifest: of the run.
        before, now: the extract that it was compared with, and its own, in numbers; None where drift was not judged.
    """

    manifest: RunManifest
    before: ExtractProfile | None
    now: ExtractProfile | None

    @property
    def extract(self) -> str:
        """Digest of the extract."""
        return str(self.manifest.lineage.extract_sha256)


def accepted_profiles(study: Path, extract_sha256: str) -> tuple[ExtractProfile, ...]:
    """Return the extracts that were accepted before one was, the oldest first.

    The chain begins anew with a run for which drift was not judged. An extract that was accepted before is judged by what came
    before it then, so that the same extract gives the same answer.

    Args:
        study: folder of the study's runs.
        extract_sha256: digest of the extract to judge.
    """
    chain: dict[str, ExtractProfile] = {}
    for run in accepted_runs(study, extract_sha256):
        found = [one for one in (run.before if not chain else None, run.now) if one and one.extract_sha256 not in chain]
        chain |= {one.extract_sha256: one for one in found}
    chain.pop(extract_sha256, None)
    return tuple(chain.values())


def accepted_runs(study: Path, extract_sha256: str | None) -> tuple[AcceptedRun, ...]:
    """Return the chain of runs that `accepted_profiles` is about, with the one that began it, the oldest first."""
    chain: list[AcceptedRun] = []
    for run in _runs(study):
        if run.extract == extract_sha256:
            break
        chain = [*chain, run] if run.now is not None else [run]
    return tuple(chain)


def _runs(study: Path) -> list[AcceptedRun]:
    """Return each accepted run, the oldest first; unreadable runs are left out."""
    found: list[tuple[tuple[str, int], AcceptedRun]] = []
    by_hand = accepted_extracts(study)
    for path in study.glob(f"[!.]*/{MANIFEST}"):
        try:
            manifest = RunManifest.read(path.parent)
            extract = manifest.lineage.extract_sha256
            accepted = manifest.status == "fail" and extract in by_hand
            if path.parent.is_symlink() or extract is None or not (accepted or manifest.status in PASSED):
                continue
            drift = json.loads((path.parent / REPORT).read_bytes()).get("drift") or {}
            if accepted:
                drift = {}  # the chain begins anew, as it does where drift was not judged
            before, now = (None if drift.get(key) is None else ExtractProfile.model_validate(drift[key]) for key in KEYS)
        except (OSError, ValueError, AttributeError):
            continue
        found.append(((manifest.created_at, path.stat().st_mtime_ns), AcceptedRun(manifest, before, now)))
    return [run for _, run in sorted(found, key=lambda pair: pair[0])]
