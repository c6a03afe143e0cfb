"""Draft the whole study: columns, outcome, subjects and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mgvae.cohort.repeats import Repeats, one_row_each
from mgvae.draft import names
from mgvae.draft.columns import MOST_LEVELS, draft_column
from mgvae.draft.entry import Drafted, identifier
from mgvae.draft.follow_up import without_follow_up
from mgvae.draft.index_date import without_later
from mgvae.draft.leaks import without_leaks
from mgvae.draft.outcome import PLACEHOLDER, Outcome, few_events, outcome_of, proposed
from mgvae.draft.ranges import with_range
from mgvae.draft.rules import DraftedRule, drafted_rules
from mgvae.draft.scan import Look, Seen, look_at
from mgvae.draft.subjects import as_place, copies, repeats_of
from mgvae.errors import ConfigError, ExtractError

LISTED = 5


@dataclass(frozen=True, eq=False)
class Draft:
    """What `mgvae init` proposes.

    Attributes:
        look: what was found.
        columns: the dictionary, in the order of the extract.
        outcome: None where none was named and none shows itself.
        guessed: whether the outcome is a guess.
        subject: the column that names the subjects; None where none does, so that each row is one.
        group: the column that ties rows together, where there is one.
        dates: the date columns, one of which may be the index date.
        rules: between predictors, which no row breaks.
        index_date: the one that was named as such.
        repeats: the column whose values are patients with several rows, if one was found by its structure.
        copies: rows that equal an earlier one, but for what differs in every row.
    """

    look: Look
    columns: tuple[Drafted, ...]
    outcome: Outcome | None
    guessed: bool
    subject: str | None
    group: str | None
    dates: tuple[str, ...]
    rules: tuple[DraftedRule, ...] = ()
    index_date: str | None = None
    repeats: Repeats | None = None
    copies: int = 0

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns that are left as predictors."""
        return tuple(column.name for column in self.columns if column.predicts)

    @property
    def outcome_name(self) -> str:
        """The outcome's column; a placeholder that no extract has where it is not known."""
        return PLACEHOLDER if self.outcome is None else self.outcome.entry.name

    @property
    def remarks(self) -> tuple[str, ...]:
        """What to say on the terminal about the study as a whole."""
        remarks = []
        if self.outcome is None:
            remarks.append("No column looks like the outcome, so cohort.yaml cannot be run before you name it.")
        elif self.guessed:
            remarks.append(f"The outcome '{self.outcome_name}' is a guess by name and rarity; --outcome COLUMN names another.")
        if self.outcome is not None:
            remarks += [f"Few events: {note}." for note in few_events(self.outcome)]
        if self.repeats is not None:
            one = self.repeats
            remarks.append(
                f"'{one.name}' has {one.patients:,} values in {one.rows:,} rows, within which {', '.join(one.fixed[:LISTED])} "
                "never change: likely patients with several rows. It is the group; or keep one row per patient."
            )
        if self.copies:
            remarks.append(
                f"Rows that are exact copies of an earlier one: {self.copies:,}. Drop them, or add what tells them apart."
            )
        remarks.append(
            f"Nobody but you can know what is known at the index date: confirm the {len(self.predictors):,} predictors that "
            "cohort.yaml lists."
        )
        if self.subject is None:
            remarks.append("No column is different in each row, so each row is taken for a subject (subject_id: null).")
        remarks += self.look.remarks
        if self.rules:
            remarks.append(f"Rules between columns that no row breaks: {len(self.rules):,}. Delete those that hold by chance.")
        if self.look.nameless:
            remarks.append(f"Columns without a name are left out: {self.look.nameless:,}. Name them to use them.")
        return tuple(remarks)


def draft(extract: str, *, outcome: str | None = None, event: str | None = None, as_of: str | None = None) -> Draft:
    """Return a draft of cohort.yaml and the data dictionary for an extract.

    Args:
        extract: path, glob or fsspec URL, CSV or Parquet.
        outcome: the outcome's column; None to guess it.
        event: the value that is the event; None for the rarest.
        as_of: the date column at which the prediction is made.
    Raises:
        ExtractError: the extract cannot be read.
        ConfigError: there is no such outcome or date, or no column is left to predict it.
        OutcomeError: the outcome has one value only.
    """
    if event is not None and outcome is None:
        raise ConfigError("--event: needs --outcome, the column whose value it is. Give both.")
    look = look_at(extract)
    name = outcome if outcome is not None else proposed(look)
    target = None if name is None else outcome_of(look, name, event)
    columns = tuple(_entry(seen, target) for seen in look.columns)
    repeats = repeats_of(look, columns, PLACEHOLDER if target is None else target.entry.name)
    columns = tuple(_naming(column, repeats) for column in columns)
    columns = without_follow_up(look, _without_leaks(look, columns, target, repeats))
    if as_of is not None:
        columns = without_later(look, columns, as_of)
    columns = tuple(_identifying(column) for column in columns)
    if not any(column.predicts for column in columns):
        raise _nothing_left(look, columns)
    subject = _subject(look, columns)
    return Draft(
        look=look,
        columns=columns,
        outcome=target,
        guessed=outcome is None and target is not None,
        subject=subject,
        group=_group(look, columns, subject) if repeats is None else repeats.name,
        dates=tuple(column.name for column in columns if column.kind == "date"),
        rules=drafted_rules(list(zip(look.columns, columns, strict=True))),
        index_date=as_of,
        repeats=repeats,
        copies=copies(look),
    )


def _naming(column: Drafted, repeats: Repeats | None) -> Drafted:
    """Return the entry of the column whose values are patients as an identifier."""
    if repeats is None or column.name != repeats.name:
        return column
    note = f"likely a patient: {', '.join(repeats.fixed[:LISTED])} never change within it"
    named = identifier(column.name, note, numeric=column.kind == "count")
    return replace(named, missing_codes=column.missing_codes)


def _identifying(column: Drafted) -> Drafted:
    """Return the entry of a predictor that others may know of a patient as a quasi-identifier: by its name, or a date."""
    if not column.predicts or not (column.kind == "date" or names.identifying(column.name)):
        return column
    return replace(column, role=(*column.role, "quasi_identifier"))


def _entry(seen: Seen, outcome: Outcome | None) -> Drafted:
    if outcome is not None and seen.name == outcome.entry.name:
        return outcome.entry
    return with_range(seen, as_place(seen, draft_column(seen)))


def _without_leaks(
    look: Look, columns: Sequence[Drafted], outcome: Outcome | None, repeats: Repeats | None
) -> tuple[Drafted, ...]:
    """Return the entries without likely leaks, judged by one row of each patient."""
    event, name = (None, "") if outcome is None else (outcome.happened, outcome.entry.name)
    if event is not None and repeats is not None:
        key = next(seen.codes for seen in look.columns if seen.name == repeats.name)
        event = np.where(one_row_each(key, event), event, np.nan)
    pairs = zip(look.columns, columns, strict=True)
    return tuple(drafted if seen.name == name else without_leaks(seen, drafted, event, name) for seen, drafted in pairs)


def _identifiers(look: Look, columns: Sequence[Drafted]) -> list[tuple[Seen, Drafted]]:
    return [pair for pair in zip(look.columns, columns, strict=True) if "identifier" in pair[1].role]


def _subject(look: Look, columns: Sequence[Drafted]) -> str | None:
    """Return the identifier, distinct in every row, whose name best fits a subject."""
    found = [
        seen.name
        for seen, drafted in _identifiers(look, columns)
        if len(seen.values) == look.rows and not drafted.missing_codes
    ]
    return min(found, key=lambda name: names.likeness(name, names.SUBJECT), default=None)


def _group(look: Look, columns: Sequence[Drafted], subject: str | None) -> str | None:
    """Return the shared identifier whose name best fits a patient or a family."""
    found = [
        seen
        for seen, _ in _identifiers(look, columns)
        if names.identifies(seen.name)
        and seen.name != subject
        and (seen.counts > 1).any()
        and len(seen.values) > MOST_LEVELS // 5
    ]
    ranked = sorted(found, key=lambda seen: (names.likeness(seen.name, names.GROUP), -len(seen.values)))
    return ranked[0].name if ranked else None


def _nothing_left(look: Look, columns: Sequence[Drafted]) -> Exception:
    listed = enumerate(columns[:LISTED], start=1)
    reasons = [f"column {at} ({column.notes[0] if column.notes else column.role[0]})" for at, column in listed]
    more = f", and {len(columns) - LISTED} more" if len(columns) > LISTED else ""
    return ExtractError(
        f"{look.label}: must have at least one column that can predict the outcome; of {len(columns)} none can: "
        f"{', '.join(reasons)}{more}. Check that this is the extract, and that it is complete."
    )
