"""The checklists of TRIPOD+AI and PROBAST+AI as Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence

from mgvae.report.checklist import Item
from mgvae.report.delimited import csv_text
from mgvae.report.formatting import UNKNOWN
from mgvae.report.schema import Report

HEAD = ("Item", "Asks for", "Answer", "Section of report.html", "Remark")
_ANSWERS = {"authors": "for the authors"}
DISCLAIMER = (
    "Filled in from a run by a program. It helps to report a study; it is no statement that a guideline or rule is met."
)


def as_markdown(items: Sequence[Item], report: Report, *, title: str, source: str) -> str:
    """Return a checklist as a Markdown document."""
    counts = {answer: sum(item.answer == answer for item in items) for answer in ("yes", "partly", "no", "authors")}
    lines = [
        f"# {title}: {flat(report.title or report.study)}",
        "",
        f"Study `{report.study}`, run `{report.run_id}`, made {report.created_at}. {DISCLAIMER} Source: {source}.",
        "",
        f"{counts['yes']} answered, {counts['partly']} in part, {counts['no']} not, {counts['authors']} for the authors.",
        "",
    ]
    return "\n".join([*lines, *table(HEAD, [_row(item) for item in items]), ""])


def as_csv(items: Sequence[Item]) -> str:
    """Return a checklist as CSV with a head line; cells that a spreadsheet would compute begin with an apostrophe."""
    return csv_text([HEAD, *(_row(item) for item in items)])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; markup in cells stays text."""
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return [*lines, *(f"| {' | '.join(flat(cell) for cell in row)} |" for row in rows)]


def flat(text: str) -> str:
    """Return a text on one line whose bars and tags mean nothing in Markdown."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _row(item: Item) -> tuple[str, str, str, str, str]:
    return item.code, item.asks, _ANSWERS.get(item.answer, item.answer), item.section or UNKNOWN, item.remark
