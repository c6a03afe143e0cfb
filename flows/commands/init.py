"""The `mgvae init` command: write the drafted files, print what to review."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mgvae.config.source import load_source
from mgvae.config.study import load_config
from mgvae.draft.draft import Draft, draft
from mgvae.draft.entry import Drafted
from mgvae.draft.event_tables import draft_source
from mgvae.draft.yaml_text import COHORT, DICTIONARY, cohort_text, dictionary_text
from mgvae.errors import ConfigError, reason_of
from mgvae.files import scratch_folder

WHOLE_TABLE = 60  # columns; of a wider extract only those to be reviewed are listed


def init(extract: str, out: Path, *, outcome: str | None, event: str | None, force: bool, as_of: str | None = None) -> Draft:
    """Write both files of a study into ``out``, or none, and return the draft.

    Args:
        extract: path, glob or fsspec URL.
        out: the folder; made where it is missing.
        outcome: the outcome's column; None to guess it.
        event: its value that is the event; None for the rarest.
        force: whether files that are there are replaced.
        as_of: the date column at which the prediction is made.
    Raises:
        ConfigError: a file is there, the folder cannot be written, or the outcome is wrong.
        DataError: the extract cannot be read or used.
    """
    _check_free(out, force=force)  # before the extract is read, which may take long
    made = draft(extract, outcome=outcome, event=event, as_of=as_of)
    texts = {DICTIONARY: dictionary_text(made), COHORT: cohort_text(made, extract, out)}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out) as place:
            for name, text in texts.items():
                (place / name).write_text(text, encoding="utf-8")
            load_config(place / COHORT)  # what init writes, the other commands must take
            _check_free(out, force=force)
            for name in texts:
                (place / name).replace(out / name)
    except OSError as error:
        raise ConfigError(
            f"The folder {out} must be writable with space left; {reason_of(error)}. Give another with --out."
        ) from None
    return made


def init_source(omop: str, out: Path, *, outcome: str | None, force: bool, console: Console) -> None:
    """Write a cohort.yaml that asks OMOP tables for an outcome; print what to review.

    Raises:
        ConfigError: the outcome is not given or not found, or the file is there.
        ExtractError: a table is absent or cannot be read.
    """
    if not outcome:
        raise ConfigError('--omop needs --outcome with the name of a condition, such as "myocardial infarction".')
    _check_free(out, force=force, names=(COHORT,))
    made = draft_source(omop if "://" in omop else str(Path(omop).resolve()), outcome)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out) as place:
            (place / COHORT).write_text(made.text, encoding="utf-8")
            load_source(place / COHORT)  # what init writes, the other commands must take
            (place / COHORT).replace(out / COHORT)
    except OSError as error:
        raise ConfigError(f"The folder {out} must be writable; {reason_of(error)}. Give another with --out.") from None
    table = Table("Concept", "Name", "Persons", title="Concepts of the outcome")
    for concept in made.outcome:
        table.add_row(str(concept.number), escape(concept.name), f"{concept.persons:,}")
    console.print(table)
    cohort = out / COHORT
    console.print(f"Wrote {escape(str(cohort))}; review its lines that say so.", soft_wrap=True, highlight=False)
    console.print(f"Next: mgvae build {escape(shlex.quote(str(cohort)))}", soft_wrap=True, highlight=False)


def _check_free(out: Path, *, force: bool, names: tuple[str, ...] = (COHORT, DICTIONARY)) -> None:
    for name in names:
        path = out / name
        if path.is_dir():
            raise ConfigError(f"{path}: must not be a folder; init writes a file of that name. Give another folder with --out.")
        if not force and (path.exists() or path.is_symlink()):
            raise ConfigError(f"{path}: is there already and is not replaced. Give another folder with --out, or --force.")


def print_draft(made: Draft, extract: str, out: Path, console: Console) -> None:
    """Print the draft, what to review, and the next command; no patient's value."""
    console.print(_table(made))
    for remark in made.remarks:
        console.print(f"[yellow]Review[/]: {escape(remark)}", soft_wrap=True)
    cohort = out / COHORT
    console.print(f"Wrote {escape(str(cohort))} and {escape(str(out / DICTIONARY))}.", soft_wrap=True, highlight=False)
    command = f"mgvae validate {shlex.quote(str(cohort))}"
    if made.outcome is None:
        command = f"mgvae init {shlex.quote(extract)} --outcome COLUMN --out {shlex.quote(str(out))} --force"
    console.print(f"Next: {escape(command)}", soft_wrap=True, highlight=False)


def _table(made: Draft) -> Table:
    listed = [column for column in made.columns if len(made.columns) <= WHOLE_TABLE or column.notes]
    left = len(made.columns) - len(listed)
    title = f"{made.look.rows:,} rows, {len(made.columns):,} columns" + (
        f"; {left:,} without remarks not listed" if left else ""
    )
    table = Table("Column", "Kind", "Role", "For review", title=title)
    for column in listed:
        table.add_row(escape(column.name), column.kind or "", _role(made, column), escape("; ".join(column.notes)))
    return table


def _role(made: Draft, column: Drafted) -> str:
    special = {
        made.index_date: "index_date",
        made.group: "group",
        made.subject: "subject_id",
        made.outcome_name: "outcome",
    }
    return special.get(column.name, ", ".join(column.role))
