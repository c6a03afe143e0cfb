"""The data dictionary: kind, role and possible values of each column."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mgvae.config.formats import date_format, number_format, plain_name
from mgvae.config.levels import LEVEL_KINDS as LEVEL_KINDS  # also by this module's name
from mgvae.config.levels import NUMERIC_KINDS as NUMERIC_KINDS
from mgvae.config.levels import Kind as Kind
from mgvae.config.levels import Level as Level
from mgvae.config.levels import canonical as canonical
from mgvae.config.rules import Rule, distinct
from mgvae.config.strict import Strict, build
from mgvae.config.yaml_reader import read_yaml
from mgvae.errors import ConfigError, nearest

Role = Literal["feature", "subgroup", "quasi_identifier", "identifier", "excluded"]


class Column(Strict):
    """One column of the extract.

    Attributes:
        kind: continuous, count (whole numbers from 0, often many zeros), binary, categorical, ordinal (categories in order) or
            date (measured in whole days from the index date). An identifier or an excluded column needs none.
        role: feature (a predictor), subgroup (performance is reported by its levels or bands of its values; a predictor only if
            "feature" is given too), quasi_identifier (a predictor that others may know of a patient, as age or region: a gate
            matches synthetic cases with patients by all of them), identifier or excluded. One word or a list.
        unit: the unit of measurement, such as ``mmol/l``.
        label: name of the column in the report; the column's name if absent.
        range: lowest and highest possible value, both included; null for no bound. Numeric kinds only.
        categories: the levels of a binary (exactly two), categorical or ordinal (in order) column.
        missing_codes: values that mean "missing", such as ``-9`` or ``?``; empty cells always do.
        max_missing: largest tolerable share of missing cells.
        format: how cells are written, where not as plain numbers or ISO dates. Numbers: how the column writes 1234.5, such as
            ``1,234.5``, ``1.234,5``, ``1234.5 %`` (56 % is read as 56). Dates: ``DD.MM.YYYY``, ``DDMMMYYYY`` and the like.
        cuts: where the values of a numeric subgroup are cut into bands, ascending; a cut belongs to the band above it. Without
            them, at the quartiles of the training part.
    """

    kind: Kind
    role: tuple[Role, ...] = ("feature",)
    unit: str | None = None
    label: str | None = None
    range: tuple[float | None, float | None] | None = None
    categories: tuple[Level, ...] | None = None
    missing_codes: tuple[Level, ...] = ()
    max_missing: float = Field(default=0.95, ge=0, le=1)
    format: str | None = None
    cuts: tuple[float, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _unused_needs_no_kind(cls, values: object) -> object:
        if isinstance(values, dict) and "kind" not in values and not _is_used(values.get("role", "feature")):
            return {**values, "kind": "categorical"}
        return values

    @field_validator("role", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("range")
    @classmethod
    def _ordered(cls, value: tuple[float | None, float | None] | None) -> tuple[float | None, float | None] | None:
        low, high = value or (None, None)
        if any(bound is not None and not math.isfinite(bound) for bound in (low, high)):
            raise ValueError("a bound must be a finite number; write null for no bound")
        if low is not None and high is not None and low >= high:
            raise ValueError("the lower bound must be below the upper one")
        return value

    @field_validator("cuts")
    @classmethod
    def _ascending(cls, value: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None and not (value and all(map(math.isfinite, value)) and all(a < b for a, b in pairwise(value))):
            raise ValueError("must be finite numbers in ascending order, at least one; leave it out for quartiles")
        return value

    @model_validator(mode="after")
    def _format_is_known(self) -> Column:
        if self.format is not None:
            if self.kind in LEVEL_KINDS:
                raise ValueError(f"a format belongs to {', '.join(NUMERIC_KINDS)} and date columns; this one is {self.kind}")
            (date_format if self.kind == "date" else number_format)(self.format)
        return self

    @model_validator(mode="after")
    def _quasi_identifiers_predict(self) -> Column:
        if "quasi_identifier" in self.role and "feature" not in self.role:
            raise ValueError("only a predictor can be a quasi_identifier; write [feature, quasi_identifier]")
        return self

    @model_validator(mode="after")
    def _cuts_belong_to_numbers(self) -> Column:
        if self.cuts is not None and (self.kind not in NUMERIC_KINDS or "subgroup" not in self.role):
            raise ValueError(f"cuts belong to {' and '.join(NUMERIC_KINDS)} columns with the role subgroup")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Column:
        if self.range is not None and self.kind not in NUMERIC_KINDS:
            raise ValueError(f"a range belongs to {' and '.join(NUMERIC_KINDS)} columns; this one is {self.kind}")
        if self.categories is not None:
            self._check_categories(self.categories)
        elif self.kind in ("categorical", "ordinal") and _is_used(self.role):
            raise ValueError(
                f"a column of kind {self.kind} needs its categories" + (", in order" if self.kind == "ordinal" else "")
            )
        return self

    def _check_categories(self, categories: tuple[Level, ...]) -> None:
        if self.kind not in LEVEL_KINDS:
            raise ValueError(f"categories belong to {', '.join(LEVEL_KINDS)} columns; this one is {self.kind}")
        if len({canonical(level) for level in categories}) < len(categories):
            raise ValueError("each category must be named once; codes such as 250.1 and 250.10 need quotes")
        if self.kind == "binary" and len(categories) != 2:
            raise ValueError("a binary column has exactly two categories")
        if len(categories) < 2:
            raise ValueError("at least two categories are needed")

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels of a column; ``(0, 1)`` for a binary column that names none."""
        if self.categories is not None:
            return self.categories
        return (0, 1) if self.kind == "binary" else ()

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest possible number."""
        low, high = self.range or (None, None)
        least = 0.0 if self.kind == "count" else -math.inf
        return max(least, -math.inf if low is None else low), math.inf if high is None else high


class Dictionary(Strict):
    """All columns of the extract, in the order of the file, and rules between them.

    Attributes:
        columns: name -> entry.
        rules: what must hold in each row, see `mgvae.config.rules.Rule`.
    """

    columns: dict[str, Column]
    rules: tuple[Rule, ...] = ()

    @field_validator("columns", mode="before")
    @classmethod
    def _plain_names(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        plain = {plain_name(name) if isinstance(name, str) else name: column for name, column in value.items()}
        if len(plain) < len(value):
            raise ValueError("two names differ only in blanks or in letters that look alike; rename one, in the extract too")
        return plain

    @field_validator("columns")
    @classmethod
    def _not_empty(cls, value: dict[str, Column]) -> dict[str, Column]:
        if not value:
            raise ValueError("must name at least one column")
        return value

    @model_validator(mode="after")
    def _rules_fit(self) -> Dictionary:
        distinct(self.rules)
        for rule in self.rules:
            rule.bound(self.columns)
        return self

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            raise ConfigError(f"The data dictionary has no column '{name}'.{nearest(name, self.columns)}")
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def with_role(self, *roles: Role) -> Iterator[tuple[str, Column]]:
        """Yield name and column of those that have any of ``roles``."""
        return ((name, column) for name, column in self.columns.items() if set(roles) & set(column.role))

    @property
    def features(self) -> dict[str, Column]:
        """The predictors, in order."""
        return dict(self.with_role("feature"))


def _is_used(role: object) -> bool:
    """Return whether a column with this role or these roles is used."""
    roles = [role] if isinstance(role, str) else role
    return not isinstance(roles, list | tuple) or bool({"feature", "subgroup"} & {str(name) for name in roles})


def read_dictionary(path: Path) -> Dictionary:
    """Return the data dictionary in a YAML file with the keys ``columns`` and ``rules``.

    Raises:
        ConfigError: the file cannot be read, or an entry is wrong; the message names the column and the key.
    """
    return build(Dictionary, read_yaml(path), source=str(path))
