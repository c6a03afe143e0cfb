"""Build the extract of a study from event tables before it runs, unless it is built already."""

from __future__ import annotations

import json
from pathlib import Path

from flows.allowed_paths import require_allowed
from mgvae.config.source import load_source
from mgvae.config.visits import load_visits
from mgvae.ehr.study_files import BUILT, COHORT


def built_folder(cohort: Path) -> Path:
    """Return the folder beside cohort.yaml in which its extract is built."""
    return cohort.parent / f"{cohort.stem}-built"


def runnable(cohort: Path) -> Path:
    """Return the cohort.yaml to run: that of the build, made anew where tables or questions changed.

    Args:
        cohort: cohort.yaml; one without the sections `source` and `visits` is returned as it is.
    Raises:
        ConfigError: a section is wrong, or the tables or the folder lie outside of MGVAE_ROOTS.
        DataError: the tables cannot be read, or nobody is left.
    """
    source, visits = load_source(cohort), load_visits(cohort)
    if source is None and visits is None:
        return cohort
    folder = built_folder(cohort)
    require_allowed(str(folder), "folder of the build")
    before = _digest(folder)
    if source is not None:
        from mgvae.ehr.build import build_study, source_digest  # DuckDB and pyarrow are slow to import

        require_allowed(str(source.omop or source.meds), "source in cohort.yaml")
        if source.on_server or before != source_digest(source, cohort):
            build_study(cohort, folder)
    elif visits is not None:
        from mgvae.ehr.visits import reduce_visits, visits_digest

        for name in (visits.extract, *(one.file for one in visits.visits if one.file is not None)):
            require_allowed(str(cohort.parent / name), "visits in cohort.yaml")
        if before != visits_digest(cohort, visits):
            reduce_visits(cohort, visits, folder)
    return folder / COHORT


def _digest(folder: Path) -> str | None:
    """Return the digest of what the folder was built from; None where nothing was."""
    try:
        return str(json.loads((folder / BUILT).read_text(encoding="utf-8"))["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
