"""What a run was made from: its id, its configuration's digest, its stages and where they ran."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.runs.folder import Accepted
from flows.study.cache_key import code_version, library_versions
from mgvae.config.study import CohortConfig
from mgvae.report.schema import Lineage, StageFacts, Whereabouts
from mgvae.store.artifact import MANIFEST, Reference, digest


@dataclass(frozen=True)
class Passed:
    """One stage of the run: its artifact, how long it took, whether it was reused, and where it was made."""

    name: str
    reference: Reference
    seconds: float
    cached: bool
    ran: Whereabouts | None


def run_id(config: CohortConfig, extract_sha256: str, reference: Accepted | None = None) -> str:
    """Return the run's name: equal exactly where extract, configuration, code, seed and the reference extract are."""
    content = [extract_sha256, config_sha256(config), code_version(), config.seed]
    return digest([*content, reference.artifact.sha256] if reference else content)[:12]


def config_sha256(config: CohortConfig) -> str:
    """Return the digest of the configuration, less the seed, which is named beside it, and where extract and stages are."""
    return digest(config.model_dump(mode="json", exclude={"extract", "seed", "stages"}))


def ran(folder: Path) -> Whereabouts | None:
    """Return where an artifact was made, as its manifest says; None where it does not."""
    try:
        place = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["ran"]
        return Whereabouts(**{key: None if place.get(key) is None else str(place[key]) for key in ("pool", "worker", "host")})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def lineage(config: CohortConfig, extract_sha256: str, passed: Sequence[Passed]) -> Lineage:
    """Return the lineage of a run for its report."""
    return Lineage(
        extract_sha256=extract_sha256,
        config_sha256=config_sha256(config),
        code_version=code_version(),
        seed=config.seed,
        artifacts={stage.name: stage.reference.sha256 for stage in passed},
        versions={"python": platform.python_version(), **library_versions()},
        machine=f"{platform.system()} {platform.machine()}",
        stages=tuple(
            StageFacts(name=stage.name, seconds=round(stage.seconds, 2), cached=stage.cached, ran=stage.ran) for stage in passed
        ),
    )
