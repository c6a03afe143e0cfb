"""Runs of the suite on a table; of them only rules, columns and counts are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mgvae.cohort.rules import rules_within
from mgvae.config.dictionary import LEVEL_KINDS, canonical
from mgvae.config.study import CohortConfig
from mgvae.extract.days import stands_for_nothing
from mgvae.results.cohort import FailedRule, ValidationResult
from validation.suite import (
    Scope,
    build_suite,
    checked_columns,
    event,
    fraction,
    great_expectations,
    kept,
    plausible,
    readable,
)

# Counts only: the other formats put raw failing values, a patient's, into the result.
RESULT_FORMAT = {"result_format": "SUMMARY", "partial_unexpected_count": 0}

AT_ONCE = 50  # expectations validated together: the time of one validation grows with their square


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
    table = with_derived(frame, unreadable, config, scope=scope)
    expectations = [item for item in build_suite(config, scope=scope).expectations if _applies(item, table)]
    results = _run(table, expectations, name=f"{config.study}-{scope}")
    order = {_key(item.meta): place for place, item in enumerate(expectations)}
    broken = sorted((item for item in results if not item.success), key=lambda item: order[_key(item.expectation_config.meta)])
    failed = tuple(_failure(item) for item in broken)
    return ValidationResult(passed=not failed, expectations=len(results), failed=failed, rows=len(frame))


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


def with_derived(frame: pd.DataFrame, unreadable: pd.DataFrame, config: CohortConfig, *, scope: Scope) -> pd.DataFrame:
    """Return a table with the derived columns of `validation.suite`.

    Args:
        frame, unreadable, config, scope: see `validate`.
    """
    table = {str(name): frame[name] for name in frame.columns}
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
            table[name] = cells.mask(bad)
            table[fraction(name)] = table[name] % 1
        table[readable(name)] = ~bad
    if scope == "extract" and config.outcome.column in table:
        table[event(config.outcome.column)] = _events(frame[config.outcome.column], config)
    if scope != "synthetic":
        rules = rules_within(config.columns, table)
        broken = rules.broken(frame)
        table |= {kept(rule): pd.Series(~broken[:, at], index=frame.index) for at, rule in enumerate(rules.rules)}
    return pd.DataFrame(table).reset_index(drop=True)


def _as_text(cells: pd.Series) -> pd.Series:
    spelling = {value: canonical(value) for value in cells.dropna().unique()}
    return cells.astype(object).map(spelling)


def _events(cells: pd.Series, config: CohortConfig) -> pd.Series:
    text = _as_text(cells)
    return (text == canonical(config.outcome.event)).astype(float).mask(text.isna())


def _applies(expectation: Any, table: pd.DataFrame) -> bool:
    """Return whether the columns of an expectation are there.

    Only the rule that a column must exist reports an absent column.
    """
    if "to_exist" in expectation.expectation_type:
        return True
    return all(name in table for name in _columns_of(expectation))


def _columns_of(expectation: Any) -> list[str]:
    names = (getattr(expectation, key, None) for key in ("column", "column_A", "column_B"))
    return [name for name in names if name is not None]


def _run(table: pd.DataFrame, expectations: list[Any], *, name: str) -> list[Any]:
    gx = great_expectations()
    results: list[Any] = []
    for start in range(0, len(expectations), AT_ONCE):
        some = expectations[start : start + AT_ONCE]
        wanted = {column for item in some for column in _columns_of(item)}
        batch = _batch(gx, table[[column for column in table.columns if column in wanted]], name=name)
        suite = gx.ExpectationSuite(name=name, expectations=some)
        results += batch.validate(suite, result_format=RESULT_FORMAT).results
    return results


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
