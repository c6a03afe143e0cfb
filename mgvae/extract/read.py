"""Read an extract into a typed table and mark the cells that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.config.dictionary import LEVEL_KINDS, Column
from mgvae.config.study import CohortConfig
from mgvae.errors import ExtractError
from mgvae.extract import cells
from mgvae.extract.formats import batches, common, header, place, similar, stored
from mgvae.extract.parts import Part, digest, find_parts


@dataclass(frozen=True)
class Extract:
    """The extract as read.

    Attributes:
        frame: one row per row of the files, the study's columns in the order of the dictionary. Numeric kinds float64; level
            kinds, identifiers and groups text; dates datetime64; missing NaN or NaT. Levels unknown to the dictionary are kept.
        unreadable: bool, a column per numeric or date column of ``frame``: true where a cell is neither missing nor a finite
            number (or a date). Such cells are missing in ``frame``.
        sha256: of the bytes of all files, in order.
        absent: columns of the dictionary that the files lack.
        unlisted: columns of the files that the dictionary lacks; they are not read.
        files: how many files were read.
        stored: how the (first) file stores each of its columns: number, text, date, boolean or other.
        remarks: what a person must know of the files.
    """

    frame: pd.DataFrame
    unreadable: pd.DataFrame
    sha256: str
    absent: tuple[str, ...]
    unlisted: tuple[str, ...]
    files: int
    stored: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_extract(config: CohortConfig, *, whole: bool = False) -> Extract:
    """Return the extract that ``config.extract`` names.

    Excluded columns are only looked for, not read, unless they hold the subject, group, index date or outcome.

    Args:
        config: the study.
        whole: whether a file that may have been cut off, or is still being written, is refused.

    Raises:
        ExtractError: it cannot be found or read, has no rows, or lacks the subject, the outcome or every predictor.
    """
    parts = find_parts(config.extract, separator=config.separator, encoding=config.encoding)
    states = [part.state() for part in parts]
    sha256 = digest(parts)
    known = {*_used(config), *config.columns.columns}
    found_headers = [header(part, known) for part in parts]
    headers = [one.names for one in found_headers]
    remarks = tuple(remark for one in found_headers for remark in one.remarks)
    if whole and remarks:
        unended = next(part.label for part, one in zip(parts, found_headers, strict=True) if one.remarks)
        raise ExtractError(
            f"{unended}: the last line must end with a line break, or a file cut off in the middle could not be told from a "
            f"whole one. Copy it again from its source; if it is complete, add a line break."
        )
    found = common(parts, headers, known)
    _check_needed(config, found, label=place(parts))
    wanted = [name for name in _used(config) if name in found]
    frame, unreadable = _read(config, parts, headers, wanted)
    if [part.state() for part in parts] != states:
        raise ExtractError(f"{parts[0].label}: the extract changed while it was read. Start again once it is written.")
    if frame.empty:
        raise ExtractError(f"{place(parts)}: must have at least one row; it has a header and no rows. Export it again.")
    return Extract(
        frame=frame,
        unreadable=unreadable,
        sha256=sha256,
        absent=tuple(name for name in config.columns.columns if name not in found),
        unlisted=tuple(name for name in found if name not in known),
        files=len(parts),
        stored=stored(parts[0], found),
        remarks=remarks,
    )


def _used(config: CohortConfig) -> dict[str, Column | None]:
    """Return the columns to read, in order; the outcome's entry may be None."""
    own = (config.subject_id, config.group, config.index_date, config.outcome.column)
    used: dict[str, Column | None] = {
        name: column for name, column in config.columns.columns.items() if "excluded" not in column.role or name in own
    }
    used.setdefault(config.outcome.column, None)
    return used


def _check_needed(config: CohortConfig, found: Sequence[str], *, label: str) -> None:
    for key, name in (("subject_id", config.subject_id), ("outcome.column", config.outcome.column)):
        if name is not None and name not in found:
            raise ExtractError(
                f"{label}: must have the column '{name}' ({key} in cohort.yaml); it is absent.{similar(name, found)} "
                f"Rename the column, or change cohort.yaml."
            )
    features = config.columns.features
    if not any(name in found for name in features):
        raise ExtractError(
            f"{label}: must have the predictors of the data dictionary; none of its {len(features)} is there. "
            f"Check that the dictionary belongs to this extract."
        )


def _read(
    config: CohortConfig, parts: Sequence[Part], headers: Sequence[Sequence[str]], wanted: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    used = _used(config)
    values: dict[str, list[pd.Series]] = {name: [] for name in wanted}
    marks: dict[str, list[BoolArray]] = {}
    for part, names in zip(parts, headers, strict=True):
        for batch in batches(part, names, wanted):
            for name in wanted:
                series, bad = _typed(config, name, used[name], batch[name])
                values[name].append(series)
                if bad is not None:
                    marks.setdefault(name, []).append(bad)
    if not any(values.values()):
        return pd.DataFrame(), pd.DataFrame()
    frame = pd.DataFrame({name: pd.concat(pieces, ignore_index=True) for name, pieces in values.items()})
    return frame, pd.DataFrame({name: np.concatenate(pieces) for name, pieces in marks.items()}, index=frame.index)


def _typed(config: CohortConfig, name: str, column: Column | None, raw: Any) -> tuple[pd.Series, BoolArray | None]:
    if column is None or (name == config.outcome.column and not column.levels):
        return cells.levels(raw, (config.outcome.event,), () if column is None else column.missing_codes), None
    if _identifies(config, name, column):
        return cells.identifiers(raw, column), None
    if column.kind in LEVEL_KINDS:
        return cells.levels(raw, column.levels, column.missing_codes), None
    return (cells.dates if column.kind == "date" else cells.numbers)(raw, column)


def _identifies(config: CohortConfig, name: str, column: Column) -> bool:
    if name in (config.index_date, config.outcome.column) or {"feature", "subgroup"} & set(column.role):
        return False
    return name in (config.subject_id, config.group) or "identifier" in column.role
