"""What an extract and its configuration give away about a study before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.build import Cohort
from mgvae.cohort.repeats import one_row_each, repeated_patients, shared_within, split_by
from mgvae.cohort.separation import Cells, suspicion
from mgvae.config.dictionary import NUMERIC_KINDS, Column, canonical
from mgvae.config.study import CohortConfig
from mgvae.draft import names
from mgvae.draft.nulls import ends_in_codes, number_codes, text_codes
from mgvae.results.findings import Finding, found

LISTED = 6
MANY = 100  # distinct numbers from which a predictor may name patients
BY_CHANCE = 1e-3  # further rows like a copied one that chance would give
TENFOLD = 10
LARGE = 20  # rows of a group from which it is rather a site


def extract_findings(config: CohortConfig, frame: pd.DataFrame, cohort: Cohort) -> tuple[Finding, ...]:
    """Return the findings on the extract, its dictionary and its configuration. No cell enters one.

    Args:
        config: the study.
        frame: ``Extract.frame``, one row per row of the files.
        cohort: the eligible subjects of it.
    """
    rules = (
        *_reviews(config),
        *_independence(config, frame),
        _separating(config, cohort),
        _later(config),
        _missing_codes(config, frame),
        _copies(config, frame),
        _ranges(config, frame),
        _unknown_outcomes(config, frame),
    )
    return tuple(one for one in rules if one is not None)


def _reviews(config: CohortConfig) -> Iterator[Finding]:
    reviews = config.reviews
    if reviews.unconfirmed:
        yield found("MGV104", f"cohort.yaml still asks to confirm its {len(config.columns.features)} predictors.")
    if reviews.open > reviews.unconfirmed:
        plural = "lines are" if reviews.open > 1 else "line is"
        yield found("MGV105", f"{reviews.open:,} {plural} open for review in cohort.yaml and the data dictionary.")


def _independence(config: CohortConfig, frame: pd.DataFrame) -> Iterator[Finding]:
    """Yield the finding on repeated patients, or on rows without names or groups."""
    repeated = _repeated(config, frame)
    if repeated:
        yield found("MGV102", f"{' '.join(repeated)} {_how_split(config)}")
    elif config.group is None and config.subject_id is None:
        yield found("MGV103", "subject_id is null and no group is named: each row counts as a patient of its own.")
    elif config.group is None:
        yield found("MGV111", "Patients are split one by one.")


def _how_split(config: CohortConfig) -> str:
    return (
        "No group keeps them together." if config.group is None else f"The group '{config.group}' does not keep them together."
    )


def _repeated(config: CohortConfig, frame: pd.DataFrame) -> list[str]:
    """Return a sentence on each column whose patients have rows in several groups."""
    group = np.arange(len(frame)) if config.group is None else pd.factorize(frame[config.group])[0].astype(np.int64)
    group = np.where(group < 0, len(frame) + np.arange(len(frame)), group)
    candidates = {name: _codes(frame[name]) for name in _may_name_patients(config, frame)}
    traits = {name: _codes(frame[name]) for name in config.columns.features if names.trait(name) and name in frame}
    by_structure = {one.name for one in repeated_patients(candidates, traits)}
    if repeated_patients({"group": group}, traits):  # of patients: what also never mixes sexes may be a matched set
        by_structure = set()
    out = []
    for name, codes in candidates.items():
        sure = name in by_structure or ("identifier" in config.columns[name].role and names.person(name))
        divided = split_by(codes, group) if sure else 0
        if divided:
            out.append(f"'{name}' has {len(np.unique(codes[codes >= 0])):,} values, {divided:,} of them in several rows.")
    return out


def _may_name_patients(config: CohortConfig, frame: pd.DataFrame) -> list[str]:
    own = {config.group, config.index_date, config.outcome.column}
    return [
        name
        for name, column in config.columns.columns.items()
        if name in frame
        and name not in own
        and ("identifier" in column.role or (column.kind == "count" and frame[name].nunique() >= MANY))
        and not names.site(name)
    ]


def _codes(cells: pd.Series) -> IntArray:
    """Return the place of each cell among the distinct ones in ascending order, -1 where missing."""
    if cells.dtype == np.float64:
        values = cells.to_numpy()
        known = ~np.isnan(values)
        codes = np.full(len(values), -1, dtype=np.int64)
        codes[known] = np.unique(values[known], return_inverse=True)[1]
        return codes
    return np.asarray(pd.factorize(cells, sort=True)[0], dtype=np.int64)


def _separating(config: CohortConfig, cohort: Cohort) -> Finding | None:
    reasons = []
    cohort = _one_each(cohort)
    for name, column in config.columns.features.items():
        cells = cohort.features[name]
        numeric = column.kind in (*NUMERIC_KINDS, "date")
        numbers = cells.to_numpy(float) if numeric else None
        codes = _codes(cells) if numeric else cells.cat.codes.to_numpy().astype(np.int64)
        reason = suspicion(Cells(codes, numbers), cohort.event)
        if reason is not None:
            reasons.append(f"'{name}' {reason}")
    return found("MGV101", f"{_listing(reasons, '; ')}.") if reasons else None


def _one_each(cohort: Cohort) -> Cohort:
    """Return one subject of each group, unless the groups are as large as sites."""
    groups = len(np.unique(cohort.group))
    if groups == len(cohort) or LARGE * groups < len(cohort):
        return cohort
    return cohort.take(one_row_each(cohort.group, cohort.event.astype(float)))


def _later(config: CohortConfig) -> Finding | None:
    later = [name for name in config.columns.features if names.afterwards(name, config.outcome.column)]
    return found("MGV110", f"{_quoted(later)}.") if later else None


def _missing_codes(config: CohortConfig, frame: pd.DataFrame) -> Finding | None:
    suspected = [name for name, column in config.columns.features.items() if name in frame and _coded(column, frame[name])]
    return found("MGV106", f"In {_quoted(suspected)}.") if suspected else None


def _coded(column: Column, cells: pd.Series) -> bool:
    """Return whether some values look like codes for missing that the dictionary does not list."""
    if column.kind in NUMERIC_KINDS:
        known = cells.dropna().to_numpy(float)
        if not len(known) or not ends_in_codes(known.min(), known.max()):
            return False
        values, counts = np.unique(known, return_counts=True)
        return len(values) > 2 and bool(number_codes(values, counts))
    return bool(text_codes(tuple(canonical(level) for level in column.levels)))


def _copies(config: CohortConfig, frame: pd.DataFrame) -> Finding | None:
    """Return a finding on rows that are copies, unless others like them are likely by chance.

    What is expected by chance counts only given cells of predictors that change within groups: what is missing is often missing
    together, and rows of one patient share much.
    """
    compared = [str(name) for name in frame if not _names_rows(config, frame, str(name))]
    rows = _repeated_rows(frame, compared)
    if not len(rows):
        return None
    expected = np.full(len(rows), np.log(len(frame)))
    group = None if config.group is None else _codes(frame[config.group])
    for name in (*config.columns.features, config.index_date):
        if name in compared:
            codes = _codes(frame[name])
            if group is None or not shared_within(group, codes):
                shares = np.append(np.bincount(codes[codes >= 0]) / len(frame), 1.0)  # the last: missing
                expected += np.log(shares[codes[rows]])
    copied = int((expected < np.log(BY_CHANCE)).sum())
    if not copied:
        return None
    return found("MGV107", f"{copied:,} of {len(frame):,} rows equal an earlier row in all that does not name rows.")


def _repeated_rows(frame: pd.DataFrame, names: Sequence[str]) -> IntArray:
    """Return the rows that equal an earlier one in some columns.

    A row that no other equals in the columns so far is left out: few columns tell nearly all rows apart.
    """
    rows = np.arange(len(frame))
    alike = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        codes = _codes(frame[name].iloc[rows]) + 1
        _, alike, counts = np.unique(alike * (codes.max(initial=0) + 1) + codes, return_inverse=True, return_counts=True)
        several = counts[alike] > 1
        rows, alike = rows[several], alike[several]
        if not len(rows):
            return rows
    first = np.unique(alike, return_index=True)[1]
    return np.delete(rows, first) if names else rows[:0]


def _names_rows(config: CohortConfig, frame: pd.DataFrame, name: str) -> bool:
    known = config.columns.columns.get(name)
    return known is not None and "identifier" in known.role and not frame[name].duplicated().any()


def _ranges(config: CohortConfig, frame: pd.DataFrame) -> Finding | None:
    idle = [
        name
        for name, column in config.columns.features.items()
        if column.kind in NUMERIC_KINDS and name in frame and not _checks(column, frame[name].to_numpy(float))
    ]
    return found("MGV108", f"Of {_quoted(idle)}: tenfold values would pass.") if idle else None


def _checks(column: Column, cells: FloatArray) -> bool:
    """Return whether the range would refuse most of the upper or lower values, were they tenfold."""
    known = cells[~np.isnan(cells)]
    if not len(known) or column.range is None:
        return not len(known)
    low, high = column.range
    lower, upper = TENFOLD * np.quantile(known, [0.01, 0.99])
    return bool((high is not None and upper > high) or (low is not None and lower < low))


def _unknown_outcomes(config: CohortConfig, frame: pd.DataFrame) -> Finding | None:
    cells = frame[config.outcome.column].dropna()
    counted = cells.astype(object).map(canonical).value_counts()
    other = [level for level in counted.index if level != canonical(config.outcome.event) and names.unknown_outcome(level)]
    if not other:
        return None
    rows = int(counted[other].sum())
    return found("MGV109", f"{rows:,} rows have one of {len(other)} such levels of '{config.outcome.column}'.")


def _quoted(columns: Sequence[str]) -> str:
    return _listing([f"'{name}'" for name in columns], ", ")


def _listing(parts: Sequence[str], separator: str) -> str:
    more = f" and {len(parts) - LISTED:,} more" if len(parts) > LISTED else ""
    return separator.join(parts[:LISTED]) + more
