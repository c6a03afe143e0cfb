"""Find the run to measure drift against."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from flows.runs.folder import PASSED, RunManifest
from mgvae.config.study import CohortConfig
from mgvae.errors import DamagedArtifactError, MissingArtifactError
from mgvae.store.artifact import MANIFEST, Reference, is_digest
from mgvae.store.open import AnyStore


@dataclass(frozen=True)
class ReferenceRun:
    """A finished run whose gates did not fail.

    Attributes:
        run_id: its name.
        extract_sha256: digest of its extract.
        created_at: when it was made, ISO text in UTC.
        artifact: what its stage validate made: the extract as read.
    """

    run_id: str
    extract_sha256: str
    created_at: str
    artifact: Reference

    def to_json(self) -> dict[str, str]:
        """Return the form that report.json holds under ``drift.reference``."""
        return {"run_id": self.run_id, "extract_sha256": self.extract_sha256, "created_at": self.created_at}


@dataclass(frozen=True)
class DriftBaseline:
    """What the extract of a run is compared with.

    Attributes:
        run: the accepted run; None for none.
        skipped_because: why there is none although there should be; empty otherwise.
    """

    run: ReferenceRun | None = None
    skipped_because: str = ""


def drift_baseline(
    config: CohortConfig, store: AnyStore, out: Path, extract_sha256: str, accepted: Collection[str] = ()
) -> DriftBaseline:
    """Return what the extract of a run is compared with; nothing for the first one.

    Args:
        config: the study.
        store: where the artifacts of its runs lie.
        out: folder of all runs.
        extract_sha256: digest of the extract.
        accepted: digests of extracts whose drift a person accepted.
    Raises:
        StoreError: the store cannot be read.
    """
    unjudged = "drift.against is 'nothing'" if config.drift.against == "nothing" else None
    if extract_sha256 in accepted:
        unjudged = "a person accepted this extract, see mgvae champion show --log"
    if unjudged is not None:
        return DriftBaseline(skipped_because=f"Drift was not judged: {unjudged}. The next extract is compared with this one.")
    before = reference_run(out, config.study, extract_sha256, accepted)
    if before is None:
        return DriftBaseline()
    try:
        store.folder(before.artifact)
    except (MissingArtifactError, DamagedArtifactError) as error:
        state = "is damaged" if isinstance(error, DamagedArtifactError) else "is not in the store any more"
        return DriftBaseline(
            skipped_because=f"Drift was not judged: the extract of run {before.run_id}, the last accepted one, {state}. "
            "The next extract is compared with this one."
        )
    return DriftBaseline(before)


def reference_run(out: Path, study: str, extract_sha256: str, accepted: Collection[str] = ()) -> ReferenceRun | None:
    """Return the newest run of a study that passed or warned on another extract, or whose extract a person accepted.

    Args:
        out: folder of all runs.
        study: the study's name.
        extract_sha256: digest of the extract, which is not compared with itself.
        accepted: digests of extracts whose drift a person accepted.
    """
    found: list[tuple[str, int, ReferenceRun]] = []
    for path in sorted((out / study).glob(f"[!.]*/{MANIFEST}")):
        run = None if path.parent.is_symlink() else _passed_run(path.parent, accepted)
        if run is not None and run.extract_sha256 != extract_sha256:
            found.append((run.created_at, path.stat().st_mtime_ns, run))
    return max(found, key=lambda item: item[:2])[2] if found else None


def _passed_run(folder: Path, accepted: Collection[str]) -> ReferenceRun | None:
    """Return the run in a folder; None if it failed or its manifest is damaged."""
    try:
        manifest = RunManifest.read(folder)
    except (OSError, ValueError):
        return None
    extract, artifact = manifest.lineage.extract_sha256 or "", manifest.lineage.artifacts.get("validate", "")
    fit = manifest.status in PASSED or (manifest.status == "fail" and extract in accepted)
    if not fit or not is_digest(extract) or not is_digest(artifact):
        return None
    return ReferenceRun(folder.name, extract, manifest.created_at, Reference("validate", artifact))
