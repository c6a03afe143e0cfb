"""The file of results: a line of JSON for each finished block, of measures and counts alone."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from mgvae.config.strict import Strict

FILE = "blocks.jsonl"


class Block(Strict):
    """Which part of which table.

    Attributes:
        table: its name.
        events: to learn from.
        seed: of the halves and of the rows.
    """

    table: str
    events: int
    seed: int


class Measured(Strict):
    """What one method gives on a block.

    Attributes:
        auroc, auprc: on the rows that it is judged on.
        seconds: of one core, to fit and to predict.
        learned, tested: rows.
        test_events: events among the rows tested.
    """

    auroc: float
    auprc: float
    seconds: float
    learned: int
    tested: int
    test_events: int


class Line(Strict):
    """A line of the file.

    Attributes:
        block: which.
        rows: the caps of rows, as ``20000/20000``: other caps are other results.
        methods: by name.
    """

    block: Block
    rows: str
    methods: dict[str, Measured]


def read(folder: Path, *, rows: str) -> dict[Block, dict[str, Measured]]:
    """Return what the folder holds; lines of one block add methods to one another, the last counts.

    A line that was cut off is left out.
    """
    out: dict[Block, dict[str, Measured]] = {}
    path = folder / FILE
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            line = Line.model_validate_json(text)
        except ValidationError:
            continue
        if line.rows == rows:
            out.setdefault(line.block, {}).update(line.methods)
    return out


def append(folder: Path, line: Line) -> None:
    """Add a line in a single write, so that several benchmarks may share the file."""
    folder.mkdir(parents=True, exist_ok=True)
    out = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(out, (line.model_dump_json() + "\n").encode())
    finally:
        os.close(out)
