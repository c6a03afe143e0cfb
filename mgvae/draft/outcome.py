"""Draft the outcome: its column, the event, and how often it happens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgvae.arrays import FloatArray, IntArray
from mgvae.cohort.build import MIN_EVENTS
from mgvae.config.dictionary import Kind, Level, canonical
from mgvae.draft import names
from mgvae.draft.columns import MOST_LEVELS, numbers_of
from mgvae.draft.entry import Drafted
from mgvae.draft.nulls import number_codes, text_codes
from mgvae.draft.scan import Look, Seen
from mgvae.draft.values import denies, plain, ranked, rounded, two
from mgvae.errors import ConfigError, OutcomeError
from mgvae.extract.formats import similar
from mgvae.results.numbers import FEW_EVENTS

PLACEHOLDER = "CHOOSE_THE_OUTCOME_COLUMN"
RARE = 0.3
MOST_OUTCOMES = 10  # values of a column that is proposed
LISTED = 12


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome as drafted.

    Attributes:
        entry: its entry in the dictionary.
        event: the value that means that the event happened.
        happened: 1 where it did, 0 where not, NaN where it is unknown, ``(n,)``.
        notes: for review, beside ``event``.
    """

    entry: Drafted
    event: Level
    happened: FloatArray
    notes: tuple[str, ...] = ()

    @property
    def events(self) -> int:
        """How many rows have the event."""
        return int(np.nansum(self.happened))

    @property
    def expected_prevalence(self) -> tuple[float, float]:
        """From half to twice the observed share of events, rounded outwards to two digits."""
        share = float(np.nanmean(self.happened))
        return rounded(share / 2, math.floor), min(1.0, rounded(2 * share, math.ceil))


def outcome_of(look: Look, name: str, event: str | None) -> Outcome:
    """Return the column ``name`` as the outcome.

    Args:
        look: the extract.
        name: the column.
        event: the value that is the event; None for the rarest that is not too rare.
    Raises:
        ConfigError: there is no such column, it has too many different values, or ``event`` is none of them.
        OutcomeError: it has one value only.
    """
    seen = next((column for column in look.columns if column.name == name), None)
    if seen is None:
        found = [column.name for column in look.columns]
        raise ConfigError(f"--outcome {name}: must be a column of {look.label}; it has none so named.{similar(name, found)}")
    levels = _Levels(seen, event)
    _check_levels(look, name, levels)
    chosen = levels.rarest() if event is None else _asked(name, event, levels)
    at = levels.values.index(chosen)
    notes = (*(() if event is not None else _notes(levels, chosen)), *_others(levels, chosen))
    happened = np.where(levels.rows < 0, np.nan, levels.rows == at)
    return Outcome(_entry(name, levels), chosen, happened, notes)


def proposed(look: Look) -> str | None:
    """Return the likely outcome by its name and a rare value; one of two values before others."""
    ranks = {
        seen.name: (_plausible(seen), 0 if names.of_death(seen.values[:MOST_LEVELS]) else names.outcome_rank(seen.name))
        for seen in look.columns
    }
    found = {name: (values, rank) for name, (values, rank) in ranks.items() if values and rank is not None}
    return min(found, key=lambda name: found[name]) if found else None


def _plausible(seen: Seen) -> int:
    """Return how many values an outcome has, one of them rare; 0 where it is none."""
    if len(seen.values) > MOST_LEVELS or seen.stored == "other":
        return 0
    levels = _Levels(seen)
    most = min(levels.counts, default=0) >= (MIN_EVENTS if len(levels.values) == 2 else FEW_EVENTS)
    rare = most and min(levels.counts) <= RARE * sum(levels.counts) and levels.counts.count(min(levels.counts)) == 1
    return len(levels.values) if rare and 2 <= len(levels.values) <= MOST_OUTCOMES else 0


class _Levels:
    """The outcome's levels, their rows, and which values are codes for "missing".

    Attributes:
        values: the levels, the one that denies first of two.
        counts: rows that hold each.
        rows: position in ``values``, ``(n,)``; -1 for missing.
        missing: the codes.
    """

    def __init__(self, seen: Seen, event: str | None = None) -> None:
        texts = [*text_codes(seen.values), *_not_known(seen.values, event)]
        known = [value for value in seen.values if value not in texts]
        numbers = numbers_of(tuple(known))
        codes: list[float] = []
        if known and not np.isnan(numbers).any():
            distinct = np.unique(numbers)
            codes = number_codes(distinct, np.ones(len(distinct), dtype=np.int64) * len(seen))
            self.values: list[Level] = [plain(value) for value in distinct if value not in codes]
            spelt = [plain(value) if not np.isnan(value) else None for value in numbers_of(seen.values)]
        else:
            self.values = list(two(known) if len(known) == 2 else ranked(known) or known)
            spelt = list(seen.values)
        self.missing: tuple[Level, ...] = (*texts, *(plain(code) for code in codes))
        place = [self.values.index(value) if value in self.values else -1 for value in spelt]
        self.rows: IntArray = np.array([*place, -1], dtype=np.int64)[seen.codes]
        self.counts: list[int] = np.bincount(self.rows[self.rows >= 0], minlength=len(self.values)).tolist()

    def rarest(self) -> Level:
        """Return the rarest level with 15 rows, else 5, else any; of two the affirmative."""
        places = range(len(self.values))
        most = max(places, key=lambda place: (self.counts[place], denies(self.values[place])))
        for least in (FEW_EVENTS, MIN_EVENTS, 0):
            enough = [place for place in places if place != most and self.counts[place] >= least]
            if enough:
                break
        return self.values[min(enough, key=lambda place: self.counts[place])]


def _check_levels(look: Look, name: str, levels: _Levels) -> None:
    if len(levels.values) < 2:
        found = "one value only" if levels.values else "no value"
        raise OutcomeError(f"{look.label}: outcome '{name}' must be known both with and without the event; it has {found}.")
    if len(levels.values) > MOST_LEVELS:
        raise ConfigError(
            f"--outcome {name}: must have at most {MOST_LEVELS} different values, one of which is the event; it has "
            f"{len(levels.values):,}. Add a column with two values to the extract."
        )


def _asked(name: str, event: str, levels: _Levels) -> Level:
    spelt = {canonical(value): value for value in levels.values}
    if canonical(event) in spelt:
        return spelt[canonical(event)]
    raise ConfigError(
        f"--event {event}: must be a value of '{name}'; none of its {len(spelt):,} values is. Leave --event out to have one "
        "proposed; dictionary.yaml then lists them all."
    )


def _notes(levels: _Levels, chosen: Level) -> tuple[str, ...]:
    notes = []
    if len(levels.values) > 2:
        notes.append(f"the rarest of {len(levels.values)} values that {FEW_EVENTS} rows or more have, if any; see --event")
    elif denies(chosen):
        notes.append("the rarer value, though it reads as 'no'")
    return tuple(notes)


def _others(levels: _Levels, chosen: Level) -> tuple[str, ...]:
    """Return the question what the other levels mean, where there are several."""
    others = [value for value in levels.values if value != chosen]
    if len(others) < 2:
        return ()
    named = ", ".join(map(str, others[:LISTED])) + (", ..." if len(others) > LISTED else "")
    return (f"all other levels count as no event ({named}); list those that are not eligible as missing_codes",)


def _not_known(values: tuple[str, ...], event: str | None) -> list[str]:
    """Return the levels that say that the outcome is not known, where two others are left."""
    found = [
        value for value in values if names.unknown_outcome(value) and (event is None or canonical(value) != canonical(event))
    ]
    left = set(values) - set(found) - set(text_codes(values))
    return [value for value in found if value not in text_codes(values)] if len(left) > 1 else []


def _entry(name: str, levels: _Levels) -> Drafted:
    kind: Kind = "binary" if len(levels.values) == 2 else "categorical"
    drafted = Drafted(name, kind, ("excluded",), tuple(levels.values)).coded(levels.missing)
    unknown = [code for code in levels.missing if isinstance(code, str) and names.unknown_outcome(code)]
    question = "rows with one of these levels are not eligible; make it a category if it is known that they had no event"
    return drafted.note(question) if unknown else drafted


def few_events(outcome: Outcome) -> Sequence[str]:
    """Return a remark where the events, or the others, are too few for a study."""
    events, others = outcome.events, int((outcome.happened == 0).sum())
    if min(events, others) >= FEW_EVENTS:
        return ()
    return (f"{events:,} rows have the event and {others:,} do not; a study needs {MIN_EVENTS}, and {FEW_EVENTS} to say much",)
