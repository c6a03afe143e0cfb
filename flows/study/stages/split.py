"""The stage split: eligible subjects and the hold-out."""

from __future__ import annotations

from pathlib import Path

from flows.study.stages.stage import FRAME, Inputs, Stage, sections
from mgvae.cohort.build import build_cohort
from mgvae.cohort.column_reader import read_by_column
from mgvae.cohort.files import save_cohort
from mgvae.cohort.split import holdout, with_lost
from mgvae.config.dictionary import LEVEL_KINDS
from mgvae.config.study import CohortConfig
from mgvae.evaluation.measures.censoring import weighted
from mgvae.reproducibility import derive


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Find the eligible subjects and hold out a test part: the cohort's files."""
    own = {config.subject_id, config.group, config.index_date, config.outcome.column}
    levels = [name for name, column in config.columns.columns.items() if column.kind in LEVEL_KINDS and name not in own]
    cohort = build_cohort(config, read_by_column(inputs["validate"] / FRAME, levels))
    seed = derive(config.seed, "split")
    test = holdout(cohort, config.split, seed=seed)
    save_cohort(folder, weighted(with_lost(cohort, test, seed=seed), test), test)


READS = sections("subject_id", "group", "index_date", "outcome", "columns", "split")
STAGE = Stage("split", make, needs=("validate",), reads=READS)
