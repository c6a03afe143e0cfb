"""Rules between the columns of a user's table, on the typed table that the model reads."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mgvae.cohort.rules import NANOSECONDS_A_DAY, Place, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.rules import Rule, distinct
from mgvae.config.strict import Strict, build
from mgvae.errors import ConfigError, SamplerWarning, TableError
from mgvae.sampler.column_types import UNITS, ColumnType, LevelColumn, StepColumn
from mgvae.sampler.column_values import to_python
from mgvae.sampler.table_types import TableTypes

Stated = str | Mapping[str, Any] | Rule


class _Rules(Strict):
    rules: tuple[Rule, ...]


def stated_rules(rules: Iterable[Stated] | None) -> tuple[Rule, ...]:
    """Return the rules that a user states.

    Raises:
        TableError: one is no rule, or stands there twice.
    """
    if rules is None:
        return ()
    if isinstance(rules, str) or not isinstance(rules, Iterable):
        raise TableError(f"rules must be a list of rules, such as ['dbp <= sbp']; got {type(rules).__name__}.")
    given = [rule.model_dump(exclude_unset=True) if isinstance(rule, Rule) else rule for rule in rules]
    try:
        found = build(_Rules, {"rules": given}, source="rules").rules
        distinct(found)
    except (ConfigError, ValueError) as error:
        raise TableError(f"rules must be usable; got: {error}") from None
    return found


def table_rules(rules: tuple[Rule, ...], types: TableTypes) -> RowRules:
    """Return rules about a user's columns, to be checked on its typed table.

    Args:
        rules: as stated; a label that is no text is named by its text, such as `` `0` ``.
        types: of the table.
    Raises:
        TableError: a rule names what is no column, or no level of it.
    """
    labels = [str(label) for label in types.labels]
    single = {label: at for at, label in enumerate(labels) if labels.count(label) == 1} if rules else {}
    columns = {label: _column(types.column_types[at]) for label, at in single.items()}
    places = {label: _place(str(at), types.column_types[at]) for label, at in single.items()}
    found = RowRules(rules, columns, places)
    try:
        len(found.bound)
    except ValueError as error:
        text = str(error).replace("of the data dictionary", "of the table, each label once").rstrip(".")
        raise TableError(f"rules must fit the table: {text}. Name levels that do not occur by a categorical dtype.") from None
    return found


def known_rules(rules: Iterable[Stated] | None, types: TableTypes) -> RowRules:
    """Return the rules that name levels which a fitted sampler knows, and warn of others.

    The names of levels that few training rows have are not kept; rows with them are not made either.
    """
    kept, left = [], []
    for rule in stated_rules(rules):
        try:
            table_rules((rule,), types)
        except TableError:
            left.append(rule.text)
        else:
            kept.append(rule)
    if left:
        text = f"Rules that name levels of few training rows are left out: {'; '.join(left)}."
        warnings.warn(text, SamplerWarning, stacklevel=3)
    return table_rules(tuple(kept), types)


def _column(known: ColumnType) -> Column:
    if isinstance(known, LevelColumn):
        kind = "ordinal" if known.ordered else "categorical"
        return Column.model_construct(kind=kind, categories=tuple(_levels(known)), range=None)
    dated = isinstance(known, StepColumn) and np.dtype(known.numpy_dtype).kind == "M"
    return Column(kind="date" if dated else "continuous")


def _levels(known: LevelColumn) -> list[Any]:
    """Return the levels that the model distinguishes, then the categories that do not occur."""
    values = list(known.values)
    if isinstance(known.dtype, pd.CategoricalDtype) and not known.ordered:
        values += [value for value in map(to_python, known.dtype.categories) if value not in values]
    return [value if isinstance(value, bool | int | float | str) else str(value) for value in values]


def _place(name: str, known: ColumnType) -> Place:
    if isinstance(known, LevelColumn):
        return Place(name, positions=len(known.values))
    if isinstance(known, StepColumn):
        day = NANOSECONDS_A_DAY // UNITS[np.datetime_data(np.dtype(known.numpy_dtype))[0]]
        return Place(name, origin=known.origin / day, step=known.step / day)
    return Place(name)
