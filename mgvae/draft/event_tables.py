"""Draft the section `source` of a study on OMOP tables from the name of an outcome."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mgvae.config.predicate import Domain
from mgvae.config.reviews import REVIEW
from mgvae.config.source import Source
from mgvae.draft.yaml_text import scalar
from mgvae.ehr.database import database, number, reading, rows
from mgvae.ehr.omop import EVENT_TABLES, Reader, Table
from mgvae.errors import ConfigError, ExtractError, first_few, nearest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WASHOUT, HORIZON = 365, 365
AMBULATORY = "9202"


@dataclass(frozen=True)
class Concept:
    """A concept of the vocabulary and how many persons have it.

    Attributes:
        number: its number.
        name: its name.
        persons: persons with an event of it.
    """

    number: int
    name: str
    persons: int


@dataclass(frozen=True)
class SourceDraft:
    """What was found for the section.

    Attributes:
        text: cohort.yaml.
        outcome: concepts of the outcome, the most frequent first.
        visits: concepts of visits, the most frequent first.
    """

    text: str
    outcome: tuple[Concept, ...]
    visits: tuple[Concept, ...]


def draft_source(omop: str, outcome: str) -> SourceDraft:
    """Return a cohort.yaml that asks OMOP tables for an outcome.

    Concepts of conditions whose name is ``outcome`` are taken; without one, those whose name contains it.

    Args:
        omop: folder of the tables or URL of a database.
        outcome: a name, such as ``myocardial infarction``.
    Raises:
        ConfigError: no concept of that name has a person.
        ExtractError: a table is absent or cannot be read.
    """
    asked = Source.model_construct(omop=omop)  # the reader asks only where the tables are and what they are called
    with (
        tempfile.TemporaryDirectory() as folder,
        database(Path(folder)) as connection,
        reading(omop),
        Reader(connection, asked) as reader,
    ):
        names = reader.table("concept", needed=True)
        assert names is not None  # noqa: S101 - it is needed
        found = _concepts(connection, reader, names, "condition")
        wanted = _named(found, outcome)
        visits = tuple(_concepts(connection, reader, names, "visit"))
        ancestors = reader.table("concept_ancestor")
        below = ancestors is not None and number(connection, f"SELECT count(*) FROM {ancestors.relation}") > 0
    if not visits:
        raise ExtractError(f"{omop}: must have visits, from which index dates are taken; visit_occurrence has none.")
    index = next((one for one in visits if str(one.number) == AMBULATORY), visits[0])
    return SourceDraft(_text(omop, outcome, wanted, index, descendants=below), wanted, visits)


def _concepts(connection: DuckDBPyConnection, reader: Reader, names: Table, domain: Domain) -> list[Concept]:
    kind = next(one for one in EVENT_TABLES if one.domain == domain)
    table = reader.table(kind.table)
    if table is None:
        return []
    found = rows(
        connection,
        f"""
        SELECT e.concept, min(coalesce(n.name, 'concept ' || e.concept)), count(DISTINCT e.person) AS persons
        FROM (SELECT {table.column(kind.concept, "BIGINT")} AS concept, {table.column("person_id", "BIGINT")} AS person
              FROM {table.relation}) e
        LEFT JOIN (SELECT {names.column("concept_id", "BIGINT")} AS concept, {names.column("concept_name", "VARCHAR")} AS name
                   FROM {names.relation}) n USING (concept)
        WHERE e.concept <> 0 GROUP BY e.concept ORDER BY persons DESC, e.concept
        """,
    )
    return [Concept(int(concept), str(name), int(persons)) for concept, name, persons in found]


def _named(found: list[Concept], outcome: str) -> tuple[Concept, ...]:
    word = outcome.strip().casefold()
    exact = tuple(one for one in found if one.name.casefold() == word)
    within = tuple(one for one in found if word and word in one.name.casefold())
    if not (exact or within):
        frequent = first_few([one.name for one in found])
        raise ConfigError(
            f"--outcome must be the name of a condition that some person has; no name contains '{outcome}'."
            f"{nearest(outcome, [one.name for one in found])} The most frequent are: {frequent}."
        )
    return exact or within


def _text(omop: str, outcome: str, wanted: tuple[Concept, ...], index: Concept, *, descendants: bool) -> str:
    study = re.sub(r"[^a-z0-9]+", "-", outcome.casefold()).strip("-")[:64] or "study"
    below = ", descendants: true" if descendants else ""
    numbers = ", ".join(str(one.number) for one in wanted)
    named = "; ".join(f"{one.name}, {one.persons:,} persons" for one in wanted)
    return f"""\
# Drafted from OMOP tables. Lines that say review are for a person to decide; delete the comment when it is settled.
study: {scalar(study)}
title: {scalar(outcome.strip().capitalize() + " after an ambulatory visit")}
source:
  omop: {scalar(omop)}
  predicates:
    index_visit: {{domain: visit, concepts: [{index.number}]}}  # {_plain(index.name)}, {index.persons:,} persons
    outcome: {{domain: condition, concepts: [{numbers}]{below}}}  {REVIEW}is this the outcome, and all of it? {_plain(named)}
  index: {{event: index_visit, first_only: true}}  {REVIEW}is the prediction made at the first such visit; of whom, of what age?
  observation: {{washout_days: {WASHOUT}}}
  outcome: {{events: outcome, start_days: 1, end_days: {HORIZON}, label: {scalar(outcome.strip())}}}  {REVIEW}how far ahead?
  prior_outcome: drop
  follow_up: {{keep_events: true, keep_dead: true}}
  predictors: {{lookback_days: [30, 365, all], aggregations: [any, last], min_patients: 20, exclude: [outcome]}}
"""


def _plain(text: str) -> str:
    return " ".join(text.split())
