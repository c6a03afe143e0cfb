"""The section `visits` of cohort.yaml: tables with several rows per patient that become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from mgvae.config.strict import Strict, build
from mgvae.config.yaml_reader import read_yaml
from mgvae.errors import ConfigError

Reduction = Literal["last", "first", "min", "max", "mean", "count", "any"]


class Visits(Strict):
    """A table of visits, tests or diagnoses, and how a patient's rows become one.

    Rows after the index date are never used, nor rows whose date cannot be read.

    Attributes:
        file: CSV or Parquet, relative to cohort.yaml; the extract itself if absent.
        subject: column of the subject; the study's ``subject_id`` if absent.
        date: column of the date, or of days from the index date.
        index: days up to and including which rows are used, where ``date`` holds days; if absent, the study's ``index_date``.
        code: column that says what a row holds, such as the name of a test; each code becomes a column. Without it each column
            of the table does.
        value: column of the value, with ``code``.
        reduce: what is made of a patient's values: one of last, first, min, max, mean, count, any (1 where there is a row, else
            0), or several; for all columns, or by column. By date, then in the order of the file.
        lookback_days: rows older than so many days before the index date are not used.
    """

    file: str | None = None
    subject: str | None = None
    date: str
    index: float | None = None
    code: str | None = None
    value: str | None = None
    reduce: tuple[Reduction, ...] | dict[str, tuple[Reduction, ...]] = ("last",)
    lookback_days: float | None = Field(default=None, gt=0)

    @field_validator("reduce", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if isinstance(value, dict):
            return {str(name): (one,) if isinstance(one, str) else one for name, one in value.items()}
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _value_has_a_code(self) -> Visits:
        if self.value is not None and self.code is None:
            raise ValueError("value needs code: the column that says what the value is of")
        if self.code is not None and self.file is None:
            raise ValueError("code needs a file of its own: the extract keeps what is the same in all rows of a patient")
        return self

    def reductions(self, column: str) -> tuple[Reduction, ...]:
        """Return what is made of a column; ``last`` where nothing is said."""
        return self.reduce.get(column, ("last",)) if isinstance(self.reduce, dict) else self.reduce


class VisitsStudy(Strict):
    """What of cohort.yaml the visits are reduced by.

    Attributes:
        extract: path of the extract.
        subject_id, index_date, outcome: of the study.
        visits: its tables.
    """

    extract: str
    subject_id: str
    index_date: str | None = None
    outcome: str | None = None
    visits: tuple[Visits, ...]


def load_visits(cohort: Path) -> VisitsStudy | None:
    """Return what the section `visits` of cohort.yaml asks for; None where it has none.

    Raises:
        ConfigError: the file cannot be read, or the section is wrong.
    """
    values = read_yaml(cohort)
    if not isinstance(values, dict) or "visits" not in values:
        return None
    given: Any = values["visits"]
    tables = [given] if isinstance(given, dict) else given
    outcome = values.get("outcome")
    wanted = {
        "extract": values.get("extract"),
        "subject_id": values.get("subject_id"),
        "index_date": values.get("index_date"),
        "outcome": outcome.get("column") if isinstance(outcome, dict) else None,
        "visits": tables,
    }
    study = build(VisitsStudy, wanted, source=f"{cohort}: visits")
    if study.index_date is None and any(one.index is None for one in study.visits):
        raise ConfigError(f"{cohort}: visits need the study's index_date, or index: the day up to which rows are used.")
    if sum(one.file is None for one in study.visits) > 1:
        raise ConfigError(f"{cohort}: only one of visits may be the extract itself; give the others a file.")
    return study
