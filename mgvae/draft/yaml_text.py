"""Write the draft as YAML that a person reads and completes."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from mgvae.config.reviews import CONFIRM, REVIEW
from mgvae.config.yaml_reader import parse_yaml
from mgvae.draft.draft import Draft
from mgvae.draft.entry import Drafted
from mgvae.draft.values import plain
from mgvae.errors import ConfigError

COHORT, DICTIONARY = "cohort.yaml", "dictionary.yaml"
WIDTH = 110
TAB = "\t"
UP = 2  # folders upwards: an extract further away is named by its whole path
RANGES = """\
# A range is what can be where the name tells the quantity, as an age; else it is widened from the outer 1 % of the values. It
# lets new patients in and catches most changes of unit. max_missing lies above today's share. Narrow both to what you know.
"""


def cohort_text(draft: Draft, extract: str, folder: Path) -> str:
    """Return cohort.yaml.

    Args:
        draft: the draft.
        extract: as given on the command line.
        folder: where the file will lie; a path of this machine is written relative to it.
    """
    lines = [
        _head(draft),
        f"study: {scalar(study_name(extract))}",
        f"extract: {scalar(_located(extract, folder))}",
        *_layout(draft),
        f"dictionary: {DICTIONARY}",
        *_subjects(draft),
        *_outcome(draft),
        *_confirmation(draft),
    ]
    return "\n".join(lines) + "\n"


def dictionary_text(draft: Draft) -> str:
    """Return dictionary.yaml."""
    lines = [line for column in draft.columns for line in _column(column)]
    return f"{_head(draft)}\n{RANGES}columns:\n" + "\n".join([*lines, *_rules(draft)]) + "\n"


def scalar(value: object) -> str:
    """Return a value as YAML on one line, in quotes where it needs them."""
    text = _written(value)
    try:
        same = repr(parse_yaml(f"- {text}\n- [{text}, {text}]", source="")) == repr([value, [value, value]])
    except ConfigError:  # ruamel.yaml leaves ': x' and '?x' without quotes
        same = False
    return text if same and text.isprintable() else _written(value, style='"')


def _written(value: object, style: str | None = None) -> str:
    writer, text = YAML(typ="safe", pure=True), io.StringIO()
    writer.default_flow_style, writer.width = True, 1 << 30
    writer.default_style = style  # type: ignore[assignment]  # ruamel.yaml declares None alone
    writer.dump([value], text)
    return text.getvalue().strip()[1:-1]


def study_name(extract: str) -> str:
    """Return a study's name that a folder may have, from that of the extract."""
    last = [part for part in re.split(r"[/\\]", extract.partition("?")[0]) if part and not re.fullmatch(r"[*.?]+.*", part)]
    stem = (last[-1] if last else "").partition(".")[0]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:64] or "study"


def _head(draft: Draft) -> str:
    found = f"{draft.look.rows:,} rows, {len(draft.columns):,} columns"
    return f"# Drafted by `mgvae init` from an extract of {found}. Look at each line that says review."


def _located(extract: str, folder: Path) -> str:
    if "://" in extract:
        return extract
    path = Path(extract).resolve()
    relative = Path(os.path.relpath(path, folder.resolve()))
    return str(path) if relative.parts[: UP + 1] == (os.pardir,) * (UP + 1) else relative.as_posix()


def _layout(draft: Draft) -> Iterator[str]:
    if draft.look.separator is not None:
        yield f"separator: {'tab' if draft.look.separator == TAB else scalar(draft.look.separator)}"
    if draft.look.encoding is not None:
        yield f"encoding: {draft.look.encoding}  {REVIEW}the file is not UTF-8; look at letters with accents"


def _subjects(draft: Draft) -> Iterator[str]:
    none = f"  {REVIEW}no column has a different value in every row; each row is taken for a subject"
    yield f"subject_id: {scalar(draft.subject)}" + (none if draft.subject is None else "")
    if draft.group is not None:
        why = "its values repeat" if draft.repeats is None else "likely patients with several rows"
        yield f"group: {scalar(draft.group)}  {REVIEW}{why}; rows that share one stay on one side of every split"
    else:
        yield f"# group: COLUMN  {REVIEW}name the column that ties rows together, if any: patient, family, matched set"
    if draft.index_date is not None:
        yield f"index_date: {scalar(draft.index_date)}"
    for name in draft.dates if draft.index_date is None else ():
        yield f"# index_date: {scalar(name)}  {REVIEW}if the prediction is made on this date"


def _outcome(draft: Draft) -> Iterator[str]:
    outcome = draft.outcome
    yield "outcome:"
    if outcome is None:
        yield f"  column: {draft.outcome_name}  {REVIEW}name the outcome; better still, run mgvae init again with --outcome"
        yield f"  event: 1  {REVIEW}the value that means that it happened"
        return
    yield f"  column: {scalar(outcome.entry.name)}" + (f"  {REVIEW}a guess by name and rarity" if draft.guessed else "")
    yield f"  event: {scalar(outcome.event)}" + "".join(f"  {REVIEW}{note}" for note in outcome.notes)
    low, high = outcome.expected_prevalence
    yield f"  expected_prevalence: [{low:g}, {high:g}]  {REVIEW}from half to twice what this extract has"


def _confirmation(draft: Draft) -> Iterator[str]:
    """Yield the question that nobody else can answer, with all predictors, as comments."""
    yield f"{REVIEW}{CONFIRM} (or give it the role excluded), then delete this line:"
    line = "#  "
    for name in draft.predictors:
        piece = f" {scalar(name)},"
        if len(line) + len(piece) > WIDTH and line != "#  ":
            yield line
            line = "#  "
        line += piece
    yield line.removesuffix(",")


def _column(column: Drafted) -> Iterator[str]:
    yield f"  {scalar(column.name)}:"
    yield from (f"    {REVIEW}{note}" for note in column.notes)
    if column.kind is not None:
        yield f"    kind: {column.kind}"
    if column.role != ("feature",):
        yield f"    role: {column.role[0] if len(column.role) == 1 else '[' + ', '.join(column.role) + ']'}"
    if column.kind in ("continuous", "count") and column.predicts:
        yield f"    unit:{'' if column.unit is None else ' ' + scalar(column.unit)}  {REVIEW}the unit of measurement"
    if column.format is not None:
        yield f"    format: {scalar(column.format)}"
    if column.range is not None:
        bounds = ("null" if bound is None else scalar(plain(bound)) for bound in column.range)
        yield f"    range: [{', '.join(bounds)}]"
    if column.categories:
        yield from _listed("categories", column.categories)
    if column.missing_codes:
        yield from _listed("missing_codes", column.missing_codes)
    if column.max_missing is not None:
        yield f"    max_missing: {column.max_missing:g}"


def _rules(draft: Draft) -> Iterator[str]:
    if draft.rules:
        yield "# No row of this extract breaks these rules, though dozens would by chance. Synthetic cases will keep them."
        yield "rules:"
    for rule in draft.rules:
        stated = f"missing_together: [{', '.join(map(scalar, rule.together))}]" if rule.together else scalar(rule.text)
        yield f"  - {stated}  {REVIEW}{rule.note}"


def _listed(key: str, values: Sequence[object]) -> Iterator[str]:
    """Yield the lines of a list, each of at most ``WIDTH`` characters."""
    line = f"    {key}: ["
    for place, value in enumerate(values):
        piece = scalar(value) + ("]" if place == len(values) - 1 else ", ")
        if len(line) + len(piece) > WIDTH and not line.endswith("["):
            yield line.rstrip()
            line = "      "
        line += piece
    yield line
