"""The stage validate: read the extract and check it against the data dictionary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from flows.study.stages.stage import FRAME, VALIDATION, Inputs, Stage, followed_horizon, read_result, write_result
from mgvae.config.study import CohortConfig
from mgvae.errors import ExtractError
from mgvae.extract.parquet_file import ROWS
from mgvae.extract.read import read_extract
from mgvae.results.cohort import ExtractRecord


def make(config: CohortConfig, inputs: Inputs, folder: Path) -> None:
    """Read the extract and run the suite: ``frame.parquet``, ``validation.json``."""
    from validation.checks import validate as check

    extract = read_extract(config)
    result = check(extract.frame, extract.unreadable, config)
    record = ExtractRecord(
        **dict(result),
        absent=tuple(extract.absent),
        unlisted=tuple(extract.unlisted),
        stored=extract.stored,
        remarks=extract.remarks,
        sha256=extract.sha256,
        missing={str(name): float(share) for name, share in extract.frame.isna().mean().items()},
    )
    write_result(folder / VALIDATION, record)
    _write(extract.frame, folder / FRAME)


def _write(frame: pd.DataFrame, path: Path) -> None:
    """Write a table by groups of rows: there is never a copy of all in memory."""
    schema = pa.Schema.from_pandas(frame)
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, max(len(frame), 1), ROWS):
            writer.write_table(pa.Table.from_pandas(frame.iloc[start : start + ROWS], schema=schema))


def check_extract_unchanged(folder: Path, sha256: str) -> None:
    """Check that the extract has not changed since the run was keyed by it.

    Raises:
        ExtractError: the file changed in between.
    """
    if read_result(folder / VALIDATION, ExtractRecord).sha256 != sha256:
        raise ExtractError("The extract changed during start-up. Start again once it is written.")


def _reads(config: CohortConfig) -> dict[str, Any]:
    used = {"separator", "encoding", "subject_id", "group", "index_date", "outcome", "columns"}
    return config.model_dump(mode="json", include={*used, *followed_horizon(config)})


STAGE = Stage("validate", make, needs=(), reads=_reads)
