"""What a table has to meet, built from the data dictionary and cohort.yaml in the terms of Great Expectations.

Each expectation carries the column and the rule as a reader of the report sees them. Some rules are about derived columns,
which ``validation.checks`` joins to the table:

=====================  ==========================================================================================
``readable: NAME``     false where a cell is neither missing nor a finite number (or a date)
``fraction: NAME``     the part of a count behind the decimal point
``plausible: NAME``    false where a day cannot be true, or stands for "missing"
``rule: TEXT``         false where a row breaks a rule between columns
``event: NAME``        1 where the outcome is the event, 0 where it is another value, missing where it is unknown
=====================  ==========================================================================================
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from mgvae.config.conditions import columns_of
from mgvae.config.dictionary import LEVEL_KINDS, Column, canonical
from mgvae.config.rules import Rule
from mgvae.config.study import CohortConfig
from mgvae.extract.days import PLAUSIBLE_YEARS

Scope = Literal["extract", "prediction", "synthetic"]
EXACT = 2.0**53
TABLE = "(table)"  # stands for a column in rules about the table as a whole


@dataclass(frozen=True)
class Expectation:
    """An expectation of Great Expectations, which takes seconds to import and judges only what is in doubt.

    Attributes:
        kind: its class, without ``Expect``.
        subject, rule: the column and the rule as a reader sees them.
        column: the column that it is about; None for the whole table, or for two.
        pair: two columns, of which the first must be no less than the second where both are known.
        min_value, max_value: bounds of a value, a mean or a count.
        strict_max: whether the upper bound itself is beyond it.
        value_set: the values that are allowed.
        mostly: share of the rows that must meet it.
    """

    kind: str
    subject: str
    rule: str
    column: str | None = None
    pair: tuple[str, str] | None = None
    min_value: float | None = None
    max_value: float | None = None
    strict_max: bool = False
    value_set: tuple[Any, ...] | None = None
    mostly: float = 1.0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.pair or (() if self.column is None else (self.column,))

    def build(self) -> Any:
        """Return the object of Great Expectations; subject and rule are its ``meta``."""
        options = fields(self)[3:]  # without kind, subject and rule
        given = {item.name: value for item in options if (value := getattr(self, item.name)) != item.default}
        if self.pair:
            first, second = given.pop("pair")
            given |= {"column_A": first, "column_B": second, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
        made = getattr(great_expectations().expectations, f"Expect{self.kind}")
        return made(**given, meta={"column": self.subject, "rule": self.rule})


def readable(name: str) -> str:
    """Name the derived column that says whether a cell of ``name`` can be read."""
    return f"readable: {name}"


def fraction(name: str) -> str:
    """Name the derived column that holds the fractional part of count ``name``."""
    return f"fraction: {name}"


def plausible(name: str) -> str:
    """Name the derived column that says whether a day of ``name`` may be true."""
    return f"plausible: {name}"


def event(name: str) -> str:
    """Name the derived column that holds the outcome ``name`` as 0 and 1."""
    return f"event: {name}"


def kept(rule: Rule) -> str:
    """Name the derived column that says whether a row keeps a rule between columns."""
    return f"rule: {rule.text}"


def origins(config: CohortConfig) -> dict[str, tuple[str, ...]]:
    """Return from which columns of a study each derived column is made."""
    own: dict[str, tuple[str, ...]] = {event(config.outcome.column): (config.outcome.column,)}
    for name in dict.fromkeys((*config.columns.columns, config.outcome.column)):
        own |= dict.fromkeys((readable(name), fraction(name), plausible(name)), (name,))
    own |= {kept(rule): tuple(sorted(columns_of(rule.bound(config.columns.columns)))) for rule in config.columns.rules}
    return own


def build_suite(config: CohortConfig, *, scope: Scope) -> list[Expectation]:
    """Return what a table has to meet.

    Args:
        config: the study.
        scope: "extract" checks the table as read. "synthetic" checks decoded synthetic cases: the features only, dates as days
            from the index date; rules between columns have a gate of their own. Ceilings on missing cells and the demand for
            two distinct values belong to the whole cohort: few cases may lack what is rarely measured, and the gate on missing
            cells compares them with real cases. "prediction" checks patients to predict: what the model reads, without the
            outcome, and without the demand for two distinct values.
    """
    return list(_synthetic_rules(config) if scope == "synthetic" else _extract_rules(config, labelled=scope == "extract"))


def great_expectations() -> Any:
    """Import ``great_expectations`` on first use: it takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports sre_constants, which Python has deprecated
        import great_expectations
        import great_expectations.expectations
    # it logs a temporary folder for each context, at a level that it sets for itself
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    return great_expectations


def checked_columns(config: CohortConfig, *, scope: Scope) -> dict[str, Column]:
    """Return the columns that are used as numbers, levels or dates."""
    if scope == "synthetic":
        return config.columns.features
    columns = dict(config.columns.with_role("feature", "subgroup") if scope == "extract" else config.columns.features)
    for name in (config.outcome.column, config.index_date) if scope == "extract" else (config.index_date,):
        if name is not None and name in config.columns and name != config.subject_id:
            columns.setdefault(name, config.columns[name])
    return columns


def required_columns(config: CohortConfig, *, labelled: bool = True) -> list[str]:
    """Return the columns that the study uses, or without outcome the model, in the order of the dictionary."""
    if not labelled:
        wanted = {config.subject_id, config.index_date, *config.columns.features}
        return [name for name in config.columns.columns if name in wanted]
    used = {config.subject_id, config.outcome.column, config.outcome.follow_up, config.group, config.index_date}
    names = [name for name, column in config.columns.columns.items() if "excluded" not in column.role or name in used]
    return names if config.outcome.column in names else [*names, config.outcome.column]


def _extract_rules(config: CohortConfig, *, labelled: bool) -> Iterator[Expectation]:
    yield Expectation("TableRowCountToBeBetween", TABLE, "must have at least one row", min_value=1)
    for name in required_columns(config, labelled=labelled):
        yield Expectation("ColumnToExist", name, "must be a column of the extract", column=name)
    if config.subject_id is not None:
        yield Expectation("ColumnValuesToNotBeNull", config.subject_id, "must be given in every row", column=config.subject_id)
        rule = "must be unique: one row per subject; where patients have several rows, name it as group, with subject_id: null"
        yield Expectation("ColumnValuesToBeUnique", config.subject_id, rule, column=config.subject_id)
    checked = checked_columns(config, scope="extract" if labelled else "prediction")
    for name, column in checked.items():
        yield from _value_rules(name, column)
        if column.kind == "date":
            first, last = PLAUSIBLE_YEARS
            rule = (
                f"must be a day of the years {first} to {last}, not one that stands for 'missing', such as 1900-01-01 or "
                f"9999-12-31: name that in missing_codes"
            )
            yield Expectation("ColumnValuesToBeInSet", name, rule, column=plausible(name), value_set=(True,))
    for name, column in config.columns.with_role("feature", "subgroup"):
        if name in checked:
            yield _ceiling(name, column)
        if labelled:
            rule = "must have at least two different values"
            yield Expectation("ColumnUniqueValueCountToBeBetween", name, rule, column=name, min_value=2)
    if labelled:
        yield from _outcome_rules(config)
    yield from _index_date_rules(config)
    yield from _rules_between_columns(config)


def _synthetic_rules(config: CohortConfig) -> Iterator[Expectation]:
    yield Expectation("TableRowCountToBeBetween", TABLE, "must have at least one row", min_value=1)
    for name, column in config.columns.features.items():
        yield Expectation("ColumnToExist", name, "must be a column of the synthetic rows", column=name)
        yield from _value_rules(name, column)
        if column.kind == "date":
            yield Expectation("ColumnValuesToBeBetween", name, "must not lie after the index date", column=name, max_value=0)


def _value_rules(name: str, column: Column) -> Iterator[Expectation]:
    if column.kind in LEVEL_KINDS:
        levels = tuple(canonical(level) for level in column.levels)
        if levels:  # an outcome need not list its levels
            rule = f"must be one of its {len(levels)} categories"
            yield Expectation("ColumnValuesToBeInSet", name, rule, column=name, value_set=levels)
        return
    noun = "date" if column.kind == "date" else "finite number"
    yield Expectation("ColumnValuesToBeInSet", name, f"must be a {noun}", column=readable(name), value_set=(True,))
    low, high = column.range or (None, None)
    if column.kind == "count":
        yield Expectation("ColumnValuesToBeInSet", name, "must be a whole number", column=fraction(name), value_set=(0.0,))
        low = max(0.0, low or 0.0)
        if high is None or high > EXACT:
            rule = "must be below 2^53, where whole numbers are exact: make it continuous"
            yield Expectation("ColumnValuesToBeBetween", name, rule, column=name, max_value=EXACT, strict_max=True)
    if low is not None or high is not None:
        yield Expectation(
            "ColumnValuesToBeBetween", name, _range_rule(low, high, column.unit), column=name, min_value=low, max_value=high
        )


def _range_rule(low: float | None, high: float | None, unit: str | None) -> str:
    if low is not None and high is not None:
        rule = f"must be between {low:.12g} and {high:.12g}"
    else:
        rule = f"must be at least {low:.12g}" if low is not None else f"must be at most {high:.12g}"
    return f"{rule} {unit}" if unit else rule


def _ceiling(name: str, column: Column) -> Expectation:
    rule = f"must be missing in at most {100 * column.max_missing:.12g} % of rows"
    least = round(1 - column.max_missing, 12)  # 1 - 0.95 lies just above 0.05
    return Expectation("ColumnValuesToNotBeNull", name, rule, column=name, mostly=least)


def _outcome_rules(config: CohortConfig) -> Iterator[Expectation]:
    name, (low, high) = config.outcome.column, config.outcome.expected_prevalence
    rule = f"must be known both with and without the event ({canonical(config.outcome.event)})"
    yield Expectation("ColumnUniqueValueCountToBeBetween", name, rule, column=event(name), min_value=2)
    rule = f"must show the event in {100 * low:.6g} % to {100 * high:.6g} % of subjects whose outcome is known"
    yield Expectation("ColumnMeanToBeBetween", name, rule, column=event(name), min_value=low, max_value=high)


def _index_date_rules(config: CohortConfig) -> Iterator[Expectation]:
    index = config.index_date
    if index is None:
        return
    # a subject without an index date is not eligible, which the cohort flow counts; a whole column of them is a fault
    yield _ceiling(index, config.columns[index])
    for name, column in config.columns.features.items():
        if column.kind == "date":
            rule = f"must not lie after the index date '{index}'"
            yield Expectation("ColumnPairValuesAToBeGreaterThanB", name, rule, pair=(index, name))


def _rules_between_columns(config: CohortConfig) -> Iterator[Expectation]:
    for rule in config.columns.rules:
        columns = ", ".join(dict.fromkeys(columns_of(rule.bound(config.columns.columns))))
        least = round(1 - rule.max_broken, 12)
        tolerated = f" in all but {100 * rule.max_broken:.12g} % of rows" if rule.max_broken else ""
        text = f"must keep the rule '{rule.text}'{tolerated}"
        yield Expectation("ColumnValuesToBeInSet", columns, text, column=kept(rule), value_set=(True,), mostly=least)
