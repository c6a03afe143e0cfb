"""The lineage of a run: its id, the digest of its configuration, its stages."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.runs.drift_reference import ReferenceRun
from flows.study.cache_key import code_version, library_versions
from mgvae.classifiers.import_path import identities
from mgvae.config.study import CohortConfig
from mgvae.report.schema import Lineage, Location, StageCost, StageSummary
from mgvae.store.artifact import MANIFEST, Reference, digest


@dataclass(frozen=True)
class FinishedStage:
    """A stage of the run with its artifact; ``cached`` where that was reused."""

    name: str
    reference: Reference
    seconds: float
    cached: bool
    ran: Location | None
    cost: StageCost | None = None


def run_id(config: CohortConfig, extract_sha256: str, reference: ReferenceRun | None = None) -> str:
    """Return the run's name, a digest of everything that decides its results.

    This is the extract, the configuration, the code, also of a user's own classifiers, the seed and the reference extract.
    """
    content: list[object] = [extract_sha256, config_sha256(config), code_version(), config.seed]
    if config.evaluation.own_classifiers:
        content.append(identities(config.evaluation.own_classifiers))
    return digest([*content, reference.artifact.sha256] if reference else content)[:12]


def config_sha256(config: CohortConfig) -> str:
    """Return the digest of the configuration.

    It leaves out the seed, which the lineage names itself, and the places of extract and stages.
    """
    return digest(config.model_dump(mode="json", exclude={"extract", "seed", "stages"}))


def place_of(folder: Path) -> Location | None:
    """Return where an artifact was made according to its manifest, if it says so."""
    try:
        place = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["ran"]
        return Location(**{key: None if place.get(key) is None else str(place[key]) for key in ("pool", "worker", "host")})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def lineage(config: CohortConfig, extract_sha256: str, passed: Sequence[FinishedStage]) -> Lineage:
    """Return the lineage of a run for its report."""
    return Lineage(
        extract_sha256=extract_sha256,
        config_sha256=config_sha256(config),
        code_version=code_version(),
        seed=config.seed,
        artifacts={stage.name: stage.reference.sha256 for stage in passed},
        versions={"python": platform.python_version(), **library_versions()},
        machine=f"{platform.system()} {platform.machine()}",
        muted=config.findings.mute,
        stages=tuple(
            StageSummary(name=stage.name, seconds=round(stage.seconds, 2), cached=stage.cached, ran=stage.ran, cost=stage.cost)
            for stage in passed
        ),
    )
