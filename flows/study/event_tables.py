"""Build the extract of a study from event tables before it runs, unless it is built already."""

from __future__ import annotations

import json
from pathlib import Path

from flows.allowed_paths import require_allowed
from mgvae.config.source import load_source


def built_folder(cohort: Path) -> Path:
    """Return the folder beside cohort.yaml in which its extract is built."""
    return cohort.parent / f"{cohort.stem}-built"


def runnable(cohort: Path) -> Path:
    """Return the cohort.yaml to run: that of the build, made anew where tables or questions changed.

    Args:
        cohort: cohort.yaml; one without the section `source` is returned as it is.
    Raises:
        ConfigError: the section is wrong, or the tables or the folder lie outside of MGVAE_ROOTS.
        DataError: the tables cannot be read, or nobody is left.
    """
    source = load_source(cohort)
    if source is None:
        return cohort
    from mgvae.ehr.build import BUILT, COHORT, build_study, source_digest  # DuckDB and pyarrow are slow to import

    require_allowed(str(source.omop or source.meds), "source in cohort.yaml")
    folder = built_folder(cohort)
    require_allowed(str(folder), "folder of the build")
    try:
        before = json.loads((folder / BUILT).read_text(encoding="utf-8"))["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        before = None
    if before != source_digest(source, cohort):
        build_study(cohort, folder)
    return folder / COHORT
