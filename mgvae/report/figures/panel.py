"""Figures with their data: in the page, and as files beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel

from mgvae.report.delimited import csv_text
from mgvae.report.figures.standalone import standalone
from mgvae.results.numbers import Estimate

Cell = str | float | int | bool | None
Row = dict[str, Cell]
FOLDER = "figures"


@dataclasses.dataclass(frozen=True)
class Panel:
    """A figure.

    Attributes:
        name: unlike that of any other figure of its page; that of its files.
        caption: above it.
        svg: an element of the page.
        rows: the numbers that it draws, a dictionary for each line of its table.
    """

    name: str
    caption: str
    svg: Markup
    rows: Sequence[Row]


def rows_of(fields: BaseModel | Mapping[str, object], **keys: Cell) -> list[Row]:
    """Return the numbers of a result as the lines of a table.

    Values that belong to all lines are repeated in each. Lists of one length stand side by side, ``edges`` as ``from`` and
    ``to``; an estimate takes three columns. Results inside a result have lines of their own, with the name of their field in
    the column ``part`` where there is one of them.

    Args:
        fields: a result, or some of its fields by name.
        keys: what tells this result from the others of the table.
    """
    values = dict(fields)
    known: Row = dict(keys)
    series: dict[str, Sequence[Cell]] = {}
    inner: list[Row] = []
    for name, value in values.items():
        if isinstance(value, Estimate):
            known |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        elif value is None or isinstance(value, str | float | int):
            known[name] = value
    for name, value in values.items():
        if isinstance(value, BaseModel) and not isinstance(value, Estimate):
            inner += rows_of(value, **known, part=name)
        elif isinstance(value, tuple | list) and value and isinstance(value[0], BaseModel):
            inner += [row for one in value for row in rows_of(one, **known)]
        elif isinstance(value, tuple | list):
            series |= _columns(name, value)
    lines = [known | dict(zip(series, cells, strict=True)) for cells in zip(*series.values(), strict=True)]
    return [*lines, *inner] if series or inner else [known]


def rows_by(key: str, results: Mapping[Any, BaseModel]) -> list[Row]:
    """Return the lines of several results of one kind, with what tells them apart in the column ``key``."""
    return [row for name, result in results.items() for row in rows_of(result, **{key: name})]


def _columns(name: str, values: Sequence[Cell]) -> dict[str, Sequence[Cell]]:
    if name != "edges":
        return {name: values}
    bounds = list(pairwise(values))
    return {"from": [low for low, _ in bounds], "to": [high for _, high in bounds]}


def panels_in(found: object) -> Iterator[Panel]:
    """Yield the figures inside lists, dictionaries and data classes, in their order."""
    if isinstance(found, Panel):
        yield found
    elif isinstance(found, Mapping):
        for value in found.values():
            yield from panels_in(value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from panels_in(value)
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            yield from panels_in(getattr(found, field.name))


def write_panels(panels: Sequence[Panel], folder: Path) -> None:
    """Write each figure as ``NAME.svg`` and its numbers as ``NAME.csv`` into a new folder."""
    folder.mkdir(mode=0o700)
    for panel in panels:
        head = list(dict.fromkeys(name for row in panel.rows for name in row))
        table = csv_text([head, *([row.get(name) for name in head] for row in panel.rows)])
        (folder / f"{panel.name}.csv").write_text(table, encoding="utf-8")
        (folder / f"{panel.name}.svg").write_text(standalone(panel.svg), encoding="utf-8")
