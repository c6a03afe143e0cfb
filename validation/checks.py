"""Runs of the suite on a table; of them only rules, columns and counts are kept."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mgvae.cohort.rules import rules_within
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.extract.days import stands_for_nothing
from mgvae.results.cohort import FailedRule, ValidationResult
from validation.screening import surely_holds
from validation.suite import (
    Expectation,
    Scope,
    build_suite,
    checked_columns,
    event,
    fraction,
    great_expectations,
    kept,
    origins,
    plausible,
    readable,
)

# Counts only: the other formats put raw failing values, a patient's, into the result.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}

AT_ONCE = 50  # columns derived, and expectations validated, together: a validation takes the square of their number


def validate(
    frame: pd.DataFrame, unreadable: pd.DataFrame, config: CohortConfig, *, scope: Scope = "extract"
) -> ValidationResult:
    """Run the suite on a table. No value of the table enters the result.

    Args:
        frame: the extract as read, or ``synthetic_table(...)[0]``.
        unreadable: bool, true where a cell is neither missing nor a finite number (or a date); a column it lacks counts as
            readable.
        config: the study.
        scope: see ``validation.suite.build_suite``.
    """
    suite, doubtful, applicable = build_suite(config, scope=scope), [], 0
    for some, table in _with_tables(_by_columns(suite, config), frame, unreadable, config, scope):
        there = [item for item in some if _applies(item, table)]
        applicable += len(there)
        doubtful += [item for item in there if not surely_holds(item, table)]
    order = {(item.subject, item.rule): place for place, item in enumerate(suite)}
    doubtful.sort(key=lambda item: order[item.subject, item.rule])
    portions = [doubtful[start : start + AT_ONCE] for start in range(0, len(doubtful), AT_ONCE)]
    results = [
        result
        for some, table in _with_tables(portions, frame, unreadable, config, scope)
        for result in run(table, some, name=f"{config.study}-{scope}")
    ]
    broken = sorted((item for item in results if not item.success), key=lambda item: order[_key(item.expectation_config.meta)])
    failed = tuple(_failure(item) for item in broken)
    return ValidationResult(passed=not failed, expectations=applicable, failed=failed, rows=len(frame))


def _by_columns(suite: Sequence[Expectation], config: CohortConfig) -> list[list[Expectation]]:
    """Return portions of a suite that are about some columns each; those about the same columns lie together."""
    source = origins(config)
    together: dict[tuple[str, ...], list[Expectation]] = {}
    for item in suite:
        together.setdefault(_sources(item, source), []).append(item)
    groups = list(together.values())
    return [[item for group in groups[start : start + AT_ONCE] for item in group] for start in range(0, len(groups), AT_ONCE)]


def _with_tables(
    portions: Sequence[list[Expectation]], frame: pd.DataFrame, unreadable: pd.DataFrame, config: CohortConfig, scope: Scope
) -> Iterator[tuple[list[Expectation], pd.DataFrame]]:
    """Yield expectations with the columns that they need: no whole derived table is ever in memory."""
    source = origins(config)
    for some in portions:
        columns = {column for item in some for column in _sources(item, source)}
        yield some, with_derived(frame, unreadable, config, scope=scope, columns=columns)


def _sources(item: Expectation, source: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the columns of the table as read that an expectation is about."""
    return tuple(column for name in item.columns for column in source.get(name, (name,)))


def synthetic_table(features: pd.DataFrame, config: CohortConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return synthetic rows for ``validate(..., scope="synthetic")``.

    These are the rows with levels as text, and which cells are not finite.

    Args:
        features: rows with the columns and dtypes of ``Cohort.features``.
        config: the study.
    """
    known = {name: column for name, column in config.columns.features.items() if name in features}
    table = {name: _as_text(features[name]) if column.kind in LEVEL_KINDS else features[name] for name, column in known.items()}
    unreadable = {name: np.isinf(features[name]) for name, column in known.items() if column.kind not in LEVEL_KINDS}
    return pd.DataFrame(table, index=features.index), pd.DataFrame(unreadable, index=features.index)


def with_derived(
    frame: pd.DataFrame,
    unreadable: pd.DataFrame,
    config: CohortConfig,
    *,
    scope: Scope,
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return a table with the derived columns of `validation.suite`.

    Args:
        frame, unreadable, config, scope: see `validate`.
        columns: those of ``frame`` to take, and to derive from; None: all.
    """
    table = {str(name): frame[name] for name in frame.columns if columns is None or name in columns}
    for name, column in checked_columns(config, scope=scope).items():
        if name not in table:
            continue
        if column.kind in LEVEL_KINDS:
            table[name] = _as_text(frame[name])
            continue
        cells = frame[name]
        bad = unreadable[name].astype(bool) if name in unreadable else pd.Series(False, index=frame.index)
        if pd.api.types.is_datetime64_any_dtype(cells):
            table[name] = cells.dt.floor("D")  # dates have day resolution: the index day itself may be used
            nothing = pd.Series(stands_for_nothing(cells), dtype=object).astype("datetime64[us]")
            table[plausible(name)] = ~table[name].isin(nothing)
        elif pd.api.types.is_numeric_dtype(cells):
            bad |= np.isinf(cells)
            table[name] = cells.mask(bad) if bad.any() else cells
            if column.kind == "count":
                table[fraction(name)] = table[name] % 1
        table[readable(name)] = ~bad
    if scope == "extract" and config.outcome.column in table:
        table[event(config.outcome.column)] = _events(frame[config.outcome.column], config)
    if scope != "synthetic":
        rules = rules_within(config.columns, table)
        broken = rules.broken(frame)
        table |= {kept(rule): pd.Series(~broken[:, at], index=frame.index) for at, rule in enumerate(rules.rules)}
    return pd.DataFrame(table, index=frame.index).reset_index(drop=True)


def _as_text(cells: pd.Series) -> pd.Series:
    spelling = {value: canonical(value) for value in cells.dropna().unique()}
    if cells.dtype == "str" and all(value == text for value, text in spelling.items()):
        return cells
    return cells.astype(object).map(spelling)


def _events(cells: pd.Series, config: CohortConfig) -> pd.Series:
    text = _as_text(cells)
    return (text == canonical(config.outcome.event)).astype(float).mask(text.isna())


def _applies(expectation: Expectation, table: pd.DataFrame) -> bool:
    """Return whether the columns of an expectation are there.

    Only the rule that a column must exist reports an absent column.
    """
    return expectation.kind == "ColumnToExist" or all(name in table for name in expectation.columns)


def run(table: pd.DataFrame, expectations: Sequence[Expectation], *, name: str) -> list[Any]:
    """Return what Great Expectations says of each expectation, about a table with all columns that they name."""
    gx = great_expectations()
    wanted = {column for item in expectations for column in item.columns}
    batch = _batch(gx, table[[column for column in table.columns if column in wanted]], name=name)
    suite = gx.ExpectationSuite(name=name, expectations=[item.build() for item in expectations])
    return list(batch.validate(suite, result_format=RESULT_FORMAT).results)


def _batch(gx: Any, table: pd.DataFrame, *, name: str) -> Any:
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False}
    definition = context.data_sources.add_pandas(name).add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    return definition.get_batch(batch_parameters={"dataframe": table})


def _key(meta: dict[str, str]) -> tuple[str, str]:
    return meta["column"], meta["rule"]


def _failure(item: Any) -> FailedRule:
    meta, result = item.expectation_config.meta, item.result
    if "unexpected_count" in result:
        return FailedRule(column=meta["column"], rule=meta["rule"], count=int(result["unexpected_count"]))
    if item.expectation_config.type == "expect_column_mean_to_be_between" and result.get("observed_value") is not None:
        measured = f"{meta['rule']} (measured {100 * float(result['observed_value']):.3g} %)"
        return FailedRule(column=meta["column"], rule=measured, count=None)
    # Where an expectation raised, the exception's message is left out: it may quote cells.
    raised = not result and item.exception_info.get("raised_exception", True)
    rule = f"{meta['rule']} (could not be checked)" if raised else meta["rule"]
    return FailedRule(column=meta["column"], rule=rule, count=None)
