"""Find the hold-outs of extracts that were accepted before one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from flows.runs.accepted import AcceptedRun, accepted_runs
from mgvae.cohort.build import Cohort
from mgvae.cohort.files import load_cohort
from mgvae.config.study import CohortConfig
from mgvae.errors import StoreError
from mgvae.store.artifact import Reference
from mgvae.store.open import AnyStore

SAME = ("outcome", "columns", "subject_id", "group", "index_date", "lookback_days", "horizon_days")
UNNAMED = "Earlier hold-outs do not judge: without subject_id nobody knows which patients are the same."
BEGINS = "Earlier hold-outs do not judge: drift of this extract was not judged, so it need not be like those before."
NONE_BEFORE = "No earlier hold-out judges: none is at hand of an accepted extract with the same dictionary and outcome."


def earlier_holdouts(
    config: CohortConfig, store: AnyStore, study: Path, extract_sha256: str | None, folders: Mapping[str, Path]
) -> tuple[list[Cohort], str]:
    """Return hold-outs that may judge beside a run's own, the newest first, and why none may.

    At most ``promotion.nights`` less one, of different extracts. Where the study has a horizon, patients whose horizon had not
    passed when their run was made are left out: of them only those with an early event would be known for certain.

    Args:
        config: the study.
        store: where its artifacts lie.
        study: folder of its runs.
        extract_sha256: digest of the run's own extract.
        folders: the run's artifacts by stage; with ``drift`` where drift was judged.
    """
    if config.promotion.nights == 1:
        return [], ""
    if config.subject_id is None:
        return [], UNNAMED
    if "drift" not in folders:
        return [], BEGINS
    found: dict[str, Cohort] = {}
    for run in reversed(accepted_runs(study, extract_sha256)):
        if len(found) == config.promotion.nights - 1 or not _alike(config, run):
            break
        cohort = None if run.extract in found else _holdout(config, store, run)
        if cohort is not None:
            found[run.extract] = cohort
    return list(found.values()), "" if found else NONE_BEFORE


def _alike(config: CohortConfig, run: AcceptedRun) -> bool:
    """Return whether columns and outcome mean the same in a run as in the study now."""
    own = config.model_dump(mode="json", include=set(SAME))
    then = run.manifest.config or {}
    return all(then.get(name) == value for name, value in own.items())


def _holdout(config: CohortConfig, store: AnyStore, run: AcceptedRun) -> Cohort | None:
    """Return the hold-out of a run; None where it is not in the store any more."""
    try:
        folder = store.folder(Reference("split", run.manifest.lineage.artifacts.get("split", "")))
    except StoreError:
        return None
    cohort, test = load_cohort(folder)
    if cohort.index_date is None or config.horizon_days is None:
        return cohort.take(test)
    made = pd.Timestamp(run.manifest.created_at).tz_localize(None)
    passed = cohort.index_date + pd.to_timedelta(config.horizon_days, unit="D") <= made
    return cohort.take(test & np.asarray(passed, dtype=bool))
