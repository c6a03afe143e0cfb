"""Numbers quoted in Markdown: where they stand, and how they compare with what was measured."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docs.tools.links import FENCE, LINK
from mgvae.config.strict import Strict

FIELD = re.compile(r"\{([\w-]+):([^:{}]+):?([^{}]*)\}")
NUMBER = r"([-+]?\d[\d,]*(?:\.\d+)?|\d+|-)"
# no measurements: code, links' targets, comments, dates
NO_PROSE = re.compile(rf"{FENCE.pattern}|`[^`]*`|<!--.*?-->|\b\d{{4}}-\d\d-\d\d\b", FENCE.flags)


class UnknownSourceError(Exception):
    """A number's source is not there, so the number cannot be checked."""


class Sentence(Strict):
    """A sentence with numbers of a finished run.

    Attributes:
        document: path below the root of the repository.
        text: the sentence; a number is written as `{source:path:format}`. The source is a study or `facts`, the path leads
            through report.json (an element of a list by its number or `name`), and the format is that of Python's `format`;
            with a percent sign it is multiplied by 100, and the sign stands in the text.
    """

    document: str
    text: str


class Table(Strict):
    """A table that a command prints.

    Attributes:
        document: path below the root of the repository.
        header: the header row as it stands in the document, or how it begins.
        command: what prints it; `{study}` is the folder of a finished run of that study.
        labels: how many columns name a row.
        minutes: how long the command takes.
    """

    document: str
    header: str
    command: str
    labels: int = 1
    minutes: float = 0


class Register(Strict):
    """Where the quoted numbers come from.

    Attributes:
        studies: whose finished runs are read.
        results: documents of results (patterns of paths): each number in them should have a source.
        names: phrases with digits that are no measurements, such as names and settings (regular expressions).
        sentences: sentences with numbers of finished runs.
        tables: tables that commands print.
    """

    studies: tuple[str, ...]
    results: tuple[str, ...]
    names: tuple[str, ...] = ()
    sentences: tuple[Sentence, ...] = ()
    tables: tuple[Table, ...] = ()

    def documents(self) -> list[str]:
        """Return the documents that have an entry."""
        return sorted({entry.document for entry in (*self.sentences, *self.tables)})


@dataclass(frozen=True)
class Difference:
    """A number that differs from its source: where it stands, what stands there, what was measured."""

    document: str
    line: int
    what: str
    start: int
    end: int
    stands: str
    measured: str

    def __str__(self) -> str:
        stands, measured = (each.strip() or "nothing" for each in (self.stands, self.measured))
        return f"{self.document}:{self.line}: {self.what}: stands {stands}, measured {measured}"


def place(entry: Sentence | Table, text: str) -> re.Match[str]:
    """Return where an entry stands in its document.

    Raises:
        ValueError: it does not stand there exactly once.
    """
    wanted = entry.text if isinstance(entry, Sentence) else entry.header
    pattern = _pattern(wanted) if isinstance(entry, Sentence) else rf"^{_pattern(wanted)}[^\n]*\n(?:\|[^\n]*\n?)*"
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(
            f"{entry.document}: an entry of docs/numbers.yaml must stand in it once; {wanted!r} was found {len(found)} times. "
            "Correct the entry or the document."
        )
    return found[0]


def _pattern(template: str) -> str:
    pieces = FIELD.split(template.strip())  # text, source, path, format, text, ...
    words = [r"\s+".join(map(re.escape, re.split(r"\s+", piece))) for piece in pieces[::4]]
    return NUMBER.join(words)


def compare_sentence(sentence: Sentence, text: str, sources: Mapping[str, Any]) -> list[Difference]:
    """Return the numbers of a sentence that differ from their source.

    Raises:
        UnknownSourceError: the source or a value in it is missing.
    """
    match = place(sentence, text)
    found = []
    for group, (source, path, form) in enumerate(FIELD.findall(sentence.text), start=1):
        if source not in sources:
            raise UnknownSourceError(f"no finished run of {source}")
        measured = write_number(look_up(sources[source], path), form)
        if measured != match[group]:
            start, end = match.span(group)
            line = text.count("\n", 0, start) + 1
            found.append(Difference(sentence.document, line, f"{source} {path}", start, end, match[group], measured))
    return found


def look_up(content: Any, path: str) -> float:
    """Return the number at a path such as `synthetic.gates.energy.value`.

    Raises:
        UnknownSourceError: there is none.
    """
    for key in path.split("."):
        if isinstance(content, list):
            content = (
                content[int(key)]
                if key.isdigit() and int(key) < len(content)
                else next((item for item in content if isinstance(item, dict) and item.get("name") == key), None)
            )
        elif isinstance(content, dict):
            content = content.get(key)
        else:
            content = getattr(content, key, None)
        if content is None:
            raise UnknownSourceError(f"nothing at {path}")
    return len(content) if isinstance(content, (list, dict)) else float(content)


def write_number(value: float, form: str) -> str:
    """Return a number as a document writes it; a format that ends with % gives the number before the sign."""
    if form.endswith("%"):
        return f"{100 * value:{form[:-1]}f}"
    return f"{int(value) if value == int(value) and 'f' not in form else value:{form}}"


def compare_table(table: Table, text: str, output: str) -> list[Difference]:
    """Return the cells of a table in a document that differ from the table of the same header in a command's output."""
    match = place(table, text)
    header, *rows = _rows(match[0], match.start())
    printed = _printed(output, [cell for cell, *_ in header], table.labels)
    found = []

    def differ(what: Iterable[str], start: int, end: int, measured: str) -> None:
        line = text.count("\n", 0, start) + 1
        found.append(Difference(table.document, line, ", ".join(what), start, end, text[start:end], measured))

    for row in rows:
        key = tuple(cell for cell, *_ in row[: table.labels])
        measured = printed.pop(key, None)
        if measured is None:
            begin = row[0][1]
            differ((*key, "row"), text.rfind("\n", 0, begin) + 1, (text.find("\n", begin) + 1) or len(text), "")
            continue
        for (cell, start, end), now, (name, *_) in zip(row, measured, header, strict=True):
            if now != cell:
                differ((*key, name), start, end, now)
    for cells in printed.values():
        differ(("further row",), match.end(), match.end(), f"| {' | '.join(cells)} |\n")
    return found


def _rows(block: str, offset: int) -> list[list[tuple[str, int, int]]]:
    """Return the cells of each row, with where they stand; the row below the header is left out."""
    rows = []
    for line in re.finditer(r"^\|.*\|[ ]*$", block, re.MULTILINE):
        if not re.fullmatch(r"[|:\s-]+", line[0]):
            cells = re.finditer(r"(?<=\|)[ ]*((?:\\\||[^|])*?)[ ]*(?=\|)", line[0])
            begin = offset + line.start()
            rows.append([(cell[1], begin + cell.start(1), begin + cell.end(1)) for cell in cells])
    return rows


def _printed(output: str, header: Sequence[str], labels: int) -> dict[tuple[str, ...], list[str]]:
    tables = re.findall(r"(?:^\|.*\|[ ]*(?:\n|\Z))+", output, re.MULTILINE)
    for block in tables:
        rows = [[cell for cell, *_ in row] for row in _rows(block, 0)]
        if rows[0] == list(header):
            return {tuple(row[:labels]): row for row in rows[1:]}
    raise ValueError(f"The command must print a table with the header {' | '.join(header)}; it does not. Correct the register.")


def unsourced(text: str, spans: Iterable[tuple[int, int]], names: Sequence[str]) -> Counter[int]:
    """Return how many numbers each line quotes outside of the spans, code, dates, links' targets and known names."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    for start, end in spans:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    text = NO_PROSE.sub(blank, text)
    text = LINK.sub(lambda match: match["text"] + " " * (len(match[0]) - len(match["text"])), text)
    text = re.sub(r"^#.*|^[ ]*\d+\.(?= )", blank, text, flags=re.MULTILINE)
    for name in names:
        text = re.sub(name, blank, text)
    lines: Counter[int] = Counter()
    for match in re.finditer(r"(?<![\w.])\d[\d,.]*", text):
        lines[text.count("\n", 0, match.start()) + 1] += 1
    return lines
