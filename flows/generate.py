"""`mgvae generate`: further synthetic cases from the model of a finished run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from flows.caching import digest
from flows.stores import open_store
from mgvae.aside import aside
from mgvae.config import CohortConfig
from mgvae.errors import ConfigError, StoreError
from mgvae.store import MANIFEST, Reference
from mgvae.strict import build

NEEDED = ("split", "encode", "finetune")
AGAIN = (
    "Run the study again (mgvae run): what is missing or damaged is made anew. If it used --store, name that store here too."
)
MOST_SEED = 2**32


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes:
        config: its settings; where its extract lies is not kept.
        status: pass, warn or fail.
        folders: the artifacts that generating needs, their bytes found to match their digests.
    """

    config: CohortConfig
    status: str
    folders: Mapping[str, Path]


def check_order(*, n: int, out: Path, seed: int, force: bool) -> None:
    """Refuse a number, seed or file that cannot be.

    Raises:
        ConfigError: what is wrong.
    """
    if n < 1:
        raise ConfigError(f"--n must be 1 or more; got {n}.")
    if not 0 <= seed < MOST_SEED:
        raise ConfigError(f"--seed must be from 0 to {MOST_SEED - 1}; got {seed}.")
    if out.suffix != ".parquet":
        raise ConfigError(f"--out {out}: must be a file whose name ends in .parquet.")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: its folder must exist. Make it, or give another.")
    if out.is_dir() or (not force and (out.exists() or out.is_symlink())):
        raise ConfigError(f"--out {out}: is there already and is not replaced. Give another name, or --force.")


def generate(run: Path, *, n: int, out: Path, seed: int, store: str | None = None) -> str:
    """Write ``n`` synthetic cases of a finished run to ``out``, readable by its owner alone, and return the run's status.

    The table is that of the run's own ``synthetic.parquet``, with cases that are drawn apart from those.

    Args:
        run: the run folder.
        n: how many.
        out: the Parquet file; replaced if it is there.
        seed: the same seed gives the same bytes.
        store: folder or URL of the artifact store, see `open_store`.
    Raises:
        ConfigError: ``run`` is no run folder.
        StoreError: an artifact of the run is missing or damaged, or the file cannot be written.
    """
    found = finished_run(run, store)
    from flows.publish import gate_note  # torch takes seconds to import
    from mgvae.tables import write_labelled

    table = _cases(found, n, seed)
    try:
        with aside(out.parent) as place:
            write_labelled(table, place / out.name, note=gate_note(found.status))
            (place / out.name).chmod(0o600)
            (place / out.name).replace(out)
    except OSError as error:
        raise StoreError(
            f"The file {out} must be writable with space left; {error.strerror or type(error).__name__}."
        ) from None
    return found.status


def finished_run(run: Path, where: str | None = None, *, needed: Sequence[str] = NEEDED) -> Finished:
    """Return the run in a run folder ``<runs>/<study>/<run id>``, whose store is ``<runs>/.store`` unless ``where`` names it.

    Args:
        run: the run folder.
        where: folder or URL of the artifact store, see `open_store`.
        needed: the stages whose artifacts are wanted.

    Raises:
        ConfigError: it is no run folder, or its extract failed validation.
        StoreError: its manifest is damaged or of an earlier version, or an artifact is missing or damaged.
    """
    manifest = manifest_of(run)
    if manifest["status"] == "invalid":
        raise ConfigError(f"{run}: the extract of this run failed validation, so nothing was trained. Mend it and run again.")
    store = open_store(run.resolve().parent.parent, where)
    artifacts = manifest["lineage"]["artifacts"]
    try:
        folders = {stage: store.folder(Reference(stage, str(artifacts.get(stage)))) for stage in needed}
    except StoreError as error:
        raise type(error)(f"{error} {AGAIN}") from None
    return Finished(_config(run, manifest), str(manifest["status"]), folders)


def manifest_of(run: Path) -> dict[str, Any]:
    """Return what the manifest of a run folder says.

    Raises:
        ConfigError: it is no run folder.
        StoreError: the manifest is damaged.
    """
    path = run / MANIFEST
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"{path}: no such file. Give a run folder, such as runs/nafld/latest.") from None
    except OSError as error:
        raise ConfigError(f"{path}: must be readable; {error.strerror or type(error).__name__}.") from None
    except ValueError:
        content = None
    lineage = content.get("lineage") if isinstance(content, dict) else None
    if not isinstance(lineage, dict) or not isinstance(lineage.get("artifacts"), dict) or "status" not in content:
        raise StoreError(f"{path}: must be the manifest of a run; it is damaged. {AGAIN}")
    return dict(content)


def _config(run: Path, manifest: Mapping[str, Any]) -> CohortConfig:
    """Return the settings of the run itself: what cohort.yaml says today may be something else."""
    path, settings = run / MANIFEST, manifest.get("config")
    if not isinstance(settings, dict):
        raise StoreError(f"{path}: must hold the run's settings; an earlier version made it. {AGAIN}")
    read = {key: value for key, value in settings.items() if key != "seed"}  # as in flows.facts.config_sha256
    if digest(read) != manifest["lineage"].get("config_sha256"):
        raise StoreError(f"{path}: its settings must match their digest; they were changed. {AGAIN}")
    try:
        return build(CohortConfig, {**settings, "extract": "(not kept)"}, where=str(path))
    except ConfigError:
        raise StoreError(f"{path}: must hold settings that this version knows; another version made it. {AGAIN}") from None


def _cases(found: Finished, n: int, seed: int) -> pd.DataFrame:
    """Return ``n`` cases as users see them, drawn from a stream of their own."""
    from flows.translation import translate
    from mgvae.seeds import derive
    from mgvae.tables import load_cohort, released

    training, prevalence = found.config.training, found.config.synthesis.prevalence
    folders, stream = found.folders, derive(seed, "generate")
    made = translate(folders["finetune"], folders["encode"], training, seed=stream, n=n, prevalence=prevalence)
    cohort, test = load_cohort(folders["split"])
    return released(made, found.config, cohort.take(~test & ~cohort.event))
