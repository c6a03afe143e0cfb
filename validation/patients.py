"""The dictionary's checks on patients to predict, some rows at a time and without an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.config.study import CohortConfig
from mgvae.results.cohort import FailedRule, ValidationResult
from validation.checks import with_derived
from validation.suite import Expectation, build_suite

TOLERATED = 0.1  # share of rows that may break a rule about single rows; they are flagged
FEWEST_ROWS = 100  # below which shares of missing and wrong cells say little: such rows are flagged alone

Kept = Callable[[pd.DataFrame, Expectation], tuple[BoolArray, BoolArray]]  # where a rule applies, and where it is kept there


@dataclass
class _Rule:
    """A rule of the suite, and in how many rows it applied and was broken."""

    expectation: Expectation
    applied: int = 0
    broken: int = 0

    def add(self, table: pd.DataFrame) -> None:
        applies, kept = KEPT[self.expectation.kind](table, self.expectation)
        self.applied += int(applies.sum())
        self.broken += int((applies & ~kept).sum())

    @property
    def fails(self) -> bool:
        """Whether `mgvae validate` would say that it fails."""
        return self.applied > 0 and (self.applied - self.broken) / self.applied < self.expectation.mostly


@dataclass
class PatientChecks:
    """The suite for patients, added up over batches.

    Attributes:
        config: the study.
        present: the columns that the extract has.
        rows: how many rows were seen.
    """

    config: CohortConfig
    present: frozenset[str]
    rows: int = 0
    _rules: list[_Rule] = field(default_factory=list)
    _absent: list[FailedRule] = field(default_factory=list)
    _names: list[Any] = field(default_factory=list)
    _unique: str = ""

    def __post_init__(self) -> None:
        for item in build_suite(self.config, scope="prediction"):
            if item.kind == "ColumnToExist" and item.column not in self.present:
                self._absent.append(FailedRule(column=item.subject, rule=item.rule, count=None))
            if item.kind == "ColumnValuesToBeUnique":
                self._unique = item.rule
            if item.kind in KEPT:
                self._rules.append(_Rule(item))

    def add(self, frame: pd.DataFrame, unreadable: pd.DataFrame) -> None:
        """Check further rows, see `mgvae.extract.read.Extract`."""
        table = with_derived(frame, unreadable, self.config, scope="prediction")
        for rule in self._rules:
            if all(name in table for name in rule.expectation.columns):
                rule.add(table)
        if self.config.subject_id is not None:  # 8 bytes a row: the names themselves would not fit in memory
            self._names.append(pd.util.hash_array(table[self.config.subject_id].dropna().to_numpy(object)))
        self.rows += len(frame)

    @property
    def absent(self) -> tuple[FailedRule, ...]:
        """Columns that the model needs and the extract lacks."""
        return tuple(self._absent)

    def result(self) -> ValidationResult:
        """Return what was found, as `validation.checks.validate` says it."""
        failed = [*self._absent, *self._doubled()]
        failed += [_failed(rule) for rule in self._rules if rule.fails]
        return ValidationResult(passed=not failed, expectations=len(self._rules), failed=tuple(failed), rows=self.rows)

    def refused(self, *, strict: bool = False) -> ValidationResult:
        """Return what makes the patients unusable.

        A column is absent, a patient without a name or named twice; or, of 100 rows or more, so many break a rule that the
        extract rather than a patient is odd. With ``strict`` whatever `result` says.
        """
        found = self.result()
        if strict:
            return found
        own = self.config.subject_id
        grave = [_failed(rule) for rule in self._rules if rule.fails and (_of_names(rule, own) or self._widespread(rule))]
        failed = (*self._absent, *self._doubled(), *grave)
        return found.model_copy(update={"passed": not failed, "failed": failed})

    def _widespread(self, rule: _Rule) -> bool:
        return self.rows >= FEWEST_ROWS and rule.broken > max(TOLERATED, 1 - rule.expectation.mostly) * rule.applied

    def _doubled(self) -> list[FailedRule]:
        names = np.concatenate(self._names) if self._names else np.empty(0)
        _, counts = np.unique(names, return_counts=True)
        doubled = int(counts[counts > 1].sum())
        return [FailedRule(column=str(self.config.subject_id), rule=self._unique, count=doubled)] if doubled else []


def _of_names(rule: _Rule, subject_id: str | None) -> bool:
    return rule.expectation.column == subject_id is not None


def _failed(rule: _Rule) -> FailedRule:
    return FailedRule(column=rule.expectation.subject, rule=rule.expectation.rule, count=rule.broken)


def _given(table: pd.DataFrame, item: Expectation) -> tuple[BoolArray, BoolArray]:
    there = table[item.column].notna().to_numpy(bool)
    return np.ones(len(table), dtype=bool), there


def _in_set(table: pd.DataFrame, item: Expectation) -> tuple[BoolArray, BoolArray]:
    cells = table[item.column]
    return cells.notna().to_numpy(bool), cells.isin(item.value_set or ()).to_numpy(bool)


def _between(table: pd.DataFrame, item: Expectation) -> tuple[BoolArray, BoolArray]:
    values = table[item.column]
    kept = np.ones(len(table), dtype=bool)
    if item.min_value is not None:
        kept &= (values >= item.min_value).to_numpy(bool)
    if item.max_value is not None:
        kept &= ((values < item.max_value) if item.strict_max else (values <= item.max_value)).to_numpy(bool)
    return values.notna().to_numpy(bool), kept


def _not_after(table: pd.DataFrame, item: Expectation) -> tuple[BoolArray, BoolArray]:
    first, second = (table[name] for name in item.columns)
    return (first.notna() & second.notna()).to_numpy(bool), (first >= second).to_numpy(bool)


# as Great Expectations reads the rules, on a batch: the missing cells of a column are left out, but for rules about them
KEPT: dict[str, Kept] = {
    "ColumnValuesToNotBeNull": _given,
    "ColumnValuesToBeInSet": _in_set,
    "ColumnValuesToBeBetween": _between,
    "ColumnPairValuesAToBeGreaterThanB": _not_after,
}
