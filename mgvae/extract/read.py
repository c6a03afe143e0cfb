"""Read an extract into a typed table and mark the cells that cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.config.dictionary import LEVEL_KINDS, Column
from mgvae.config.study import CohortConfig
from mgvae.errors import ExtractError
from mgvae.extract import cells
from mgvae.extract.formats import batches, common, header, place, similar, stored
from mgvae.extract.horizon import outcome_at_horizon
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


@dataclass(frozen=True)
class OpenExtract:
    """An extract whose files are found, and whose rows are read in batches.

    Attributes:
        config: the study.
        parts: the files. headers: of each, its columns. states: of each, size and times when it was found.
        found: columns that all files have. wanted: those to read, in the dictionary's order.
        sha256, remarks: see `Extract`.
    """

    config: CohortConfig
    parts: Sequence[Part]
    headers: Sequence[Sequence[str]]
    states: Sequence[tuple[Any, ...]]
    found: Sequence[str]
    wanted: Sequence[str]
    sha256: str
    remarks: tuple[str, ...]

    def batches(self) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yield ``frame`` and ``unreadable`` of an `Extract`, some rows at a time; at least one batch.

        Raises:
            ExtractError: a file cannot be read, changed meanwhile, or there are no rows.
        """
        rows = 0
        for part, names in zip(self.parts, self.headers, strict=True):
            for batch in batches(part, names, self.wanted):
                frame, unreadable = typed_rows(self.config, {name: batch[name] for name in self.wanted})
                rows += len(frame)
                yield frame, unreadable
        if [part.state() for part in self.parts] != list(self.states):
            raise ExtractError(f"{self.parts[0].label}: the extract changed while it was read. Start again once it is written.")
        if not rows:
            raise ExtractError(
                f"{place(self.parts)}: must have at least one row; it has a header and no rows. Export it again."
            )


def open_extract(config: CohortConfig, *, whole: bool = False, labelled: bool = True) -> OpenExtract:
    """Find the files of the extract that ``config.extract`` names, and check their columns.

    Excluded columns are only looked for, not read, unless they hold the subject, group, index date or outcome.

    Args:
        config: the study.
        whole: whether a file that may have been cut off, or is still being written, is refused.
        labelled: whether the outcome is read, and must be there.

    Raises:
        ExtractError: it cannot be found or read, or lacks the subject, the outcome or every predictor.
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
            f"{unended}: the last line must end with a line break, or a file cut off in the middle could not be distinguished "
            f"from a whole one. Copy it again from its source; if it is complete, add a line break."
        )
    found = common(parts, headers, known)
    _check_needed(config, found, label=place(parts), labelled=labelled)
    outcome = (config.outcome.column, config.outcome.follow_up)
    wanted = [name for name in _used(config) if name in found and (labelled or name not in outcome)]
    return OpenExtract(config, parts, headers, states, found, wanted, sha256, remarks)


def read_extract(config: CohortConfig, *, whole: bool = False) -> Extract:
    """Return the extract that ``config.extract`` names, see `open_extract`.

    Raises:
        ExtractError: it cannot be found or read, has no rows, or lacks the subject, the outcome or every predictor.
    """
    opened = open_extract(config, whole=whole)
    values, marks = defaultdict[str, list[pd.Series]](list), defaultdict[str, list[pd.Series]](list)
    for frame, unreadable in opened.batches():
        for table, pieces in ((frame, values), (unreadable, marks)):
            for name in table:
                pieces[str(name)].append(table[name])
    known = {*_used(config), *config.columns.columns}
    return Extract(
        frame=_joined(values, rows := sum(map(len, next(iter(values.values()))))),
        unreadable=_joined(marks, rows),
        sha256=opened.sha256,
        absent=tuple(name for name in config.columns.columns if name not in opened.found),
        unlisted=tuple(name for name in opened.found if name not in known),
        files=len(opened.parts),
        stored=stored(opened.parts[0], opened.found),
        remarks=opened.remarks,
    )


def _joined(pieces: dict[str, list[pd.Series]], rows: int) -> pd.DataFrame:
    """Return batches one below the other; a column's own type is kept, and its pieces are given up."""
    columns = {name: pd.concat(pieces.pop(name), ignore_index=True) for name in list(pieces)}
    return pd.DataFrame(columns, index=pd.RangeIndex(rows), copy=False)


def _used(config: CohortConfig) -> dict[str, Column | None]:
    """Return the columns to read, in order; the outcome's entry may be None."""
    own = (config.subject_id, config.group, config.index_date, config.outcome.column, config.outcome.follow_up)
    used: dict[str, Column | None] = {
        name: column for name, column in config.columns.columns.items() if "excluded" not in column.role or name in own
    }
    used.setdefault(config.outcome.column, None)
    return used


def _check_needed(config: CohortConfig, found: Sequence[str], *, label: str, labelled: bool) -> None:
    outcome = {"outcome.column": config.outcome.column, "outcome.follow_up": config.outcome.follow_up}
    needed = {"subject_id": config.subject_id, **(outcome if labelled else {})}
    for key, name in needed.items():
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


def typed_rows(config: CohortConfig, columns: Mapping[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return ``frame`` and ``unreadable`` of an `Extract` for some rows.

    Args:
        config: the study.
        columns: Arrow arrays by name, of columns that the study uses.
    """
    used = _used(config)
    typed = {name: _typed(config, name, used[name], cells) for name, cells in columns.items()}
    frame = pd.DataFrame({name: series for name, (series, _) in typed.items()}, copy=False)
    if config.outcome.follow_up in frame and config.outcome.column in frame:
        frame = outcome_at_horizon(config, frame)
    marks = {name: bad for name, (_, bad) in typed.items() if bad is not None}
    return frame, pd.DataFrame(marks, index=frame.index, copy=False)


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
