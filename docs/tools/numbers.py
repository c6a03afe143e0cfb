"""Check the numbers that documents quote: python -m docs.tools.numbers [RUN ...] [--minutes M] [--write].

docs/numbers.yaml says where each quoted number comes from. Numbers of a study are read from the report.json of a finished run
(RUN, else runs/<study>/latest); tables of other commands are checked where the command takes at most M minutes. What differs
is named with what stands there and what was measured; `--write` puts the measured number into the document. Exit code 1 if
something differs.
"""

from __future__ import annotations

import argparse
import functools
import json
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from docs.tools import facts
from docs.tools.links import ROOT
from docs.tools.quotes import (
    Difference,
    Register,
    UnknownSourceError,
    compare_sentence,
    compare_table,
    place,
    unsourced,
)
from mgvae.config.strict import build
from mgvae.config.yaml_reader import read_yaml

REGISTER = ROOT / "docs" / "numbers.yaml"
Sources = Mapping[str, Any]


def register(path: Path = REGISTER) -> Register:
    """Return where the quoted numbers come from.

    Raises:
        ConfigError: the file is missing, or has unknown or wrong keys.
    """
    return build(Register, read_yaml(path), source=str(path))


def reports(runs: Iterable[Path]) -> dict[str, Path]:
    """Return the run folders by the study that their report.json names; of two runs of a study the later one counts."""
    return {json.loads((run / "report.json").read_text(encoding="utf-8"))["study"]: run for run in runs}


def check(
    known: Register, root: Path, runs: Mapping[str, Path], minutes: float, run: Callable[[tuple[str, ...]], str]
) -> tuple[list[Difference], list[str]]:
    """Compare every registered number with its source.

    Args:
        known: the register.
        root: the documents' names are relative to this folder.
        runs: a finished run's folder by study.
        minutes: commands that take longer are left out.
        run: returns what a command prints.

    Returns:
        What differs, and what was not checked, with the reason.

    Raises:
        ValueError: an entry does not stand in its document exactly once.
    """
    texts = {name: (root / name).read_text(encoding="utf-8") for name in known.documents()}
    sources: dict[str, Any] = {
        study: json.loads((folder / "report.json").read_text(encoding="utf-8")) for study, folder in runs.items()
    }
    sources["facts"] = facts.Facts(dict(sources))
    found: list[Difference] = []
    skipped = []
    run = functools.cache(run)  # two tables of a command: it runs once
    for sentence in known.sentences:
        try:
            found += compare_sentence(sentence, texts[sentence.document], sources)
        except UnknownSourceError as unknown:
            skipped.append(f"{sentence.document}: {sentence.text.strip()[:60]!r}: {unknown}")
    for table in known.tables:
        if table.minutes > minutes:
            skipped.append(
                f"{table.document}: {table.command}: takes {table.minutes:g} minutes; add --minutes {table.minutes:g}"
            )
        elif missing := [study for study in known.studies if f"{{{study}}}" in table.command and study not in runs]:
            skipped.append(f"{table.document}: {table.command}: no finished run of {', '.join(missing)}")
        else:
            command = tuple(word.format(**runs) for word in shlex.split(table.command))
            found += compare_table(table, texts[table.document], run(command))
    return found, skipped


def write(found: Iterable[Difference], root: Path) -> None:
    """Put what was measured into the documents."""
    by_document: dict[str, list[Difference]] = defaultdict(list)
    for difference in found:
        by_document[difference.document].append(difference)
    for name, differences in by_document.items():
        text = (root / name).read_text(encoding="utf-8")
        for each in sorted(differences, key=lambda difference: -difference.start):
            text = text[: each.start] + each.measured + text[each.end :]
        (root / name).write_text(text, encoding="utf-8")


def without_source(known: Register, root: Path) -> list[str]:
    """Return one line a document of results: which lines quote a number that no entry ties to a source."""
    listed = []
    for name in sorted({path for pattern in known.results for path in root.glob(pattern)}):
        document = str(name.relative_to(root))
        text = name.read_text(encoding="utf-8")
        entries = [*known.sentences, *known.tables]
        spans = [place(entry, text).span() for entry in entries if entry.document == document]
        if lines := unsourced(text, spans, known.names):
            listed.append(f"{document}: {sum(lines.values())} numbers without a source, in lines {_ranges(list(lines))}")
    return listed


def _ranges(lines: list[int]) -> str:
    groups: list[list[int]] = []
    for line in lines:
        if groups and line == groups[-1][-1] + 1:
            groups[-1].append(line)
        else:
            groups.append([line])
    return ", ".join(str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups)


def _run(command: tuple[str, ...]) -> str:
    print("running", shlex.join(command), file=sys.stderr, flush=True)
    words = [sys.executable, *command[1:]] if command[0] == "python" else command
    return subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Check, print what differs and what was not checked, and exit with 1 if something differs."""
    parser = argparse.ArgumentParser(prog="python -m docs.tools.numbers", description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*", type=Path, help="folders of finished runs; else runs/<study>/latest")
    parser.add_argument("--minutes", type=float, default=1, help="run commands that take at most this long")
    parser.add_argument("--write", action="store_true", help="put what was measured into the documents")
    options = parser.parse_args()
    known = register()
    folders = options.runs or [latest for study in known.studies if (latest := ROOT / "runs" / study / "latest").exists()]
    runs = reports(folder.resolve() for folder in folders)
    for study, folder in runs.items():
        lineage = json.loads((folder / "report.json").read_text(encoding="utf-8"))["lineage"]
        print(f"{study}: {folder}, code {lineage['code_version']}, seed {lineage['seed']}")
    found, skipped = check(known, ROOT, runs, options.minutes, _run)
    for title, lines in (
        ("Differ", [str(each) for each in found]),
        ("Not checked", skipped),
        ("Without a source", without_source(known, ROOT)),
    ):
        print(f"\n{title}: {len(lines)}", *lines, sep="\n  ")
    if options.write:
        write(found, ROOT)
    sys.exit(1 if found and not options.write else 0)


if __name__ == "__main__":
    main()
