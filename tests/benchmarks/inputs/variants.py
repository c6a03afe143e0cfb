"""Variants of a cohort's file: encodings, separators, quoting, dates, nulls, types."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.benchmarks.inputs.truth import ALIKE, DATES, KEYS, NULLS, NUMBERS, SENTINELS, Cohort, cohort

ENCODINGS = ("utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16", "utf-16-le", "utf-32")
SEPARATORS = (",", ",", ",", ";", "\t", "|")
BEFORE = ("", "", "", "\n", "\n\n", " \n\n", "sep=\n", ",,,,,,\n")
ENDS = ("\n", "\n", "\r\n")
LAST = ("", "", "cut", "blank lines", "a row of blanks")
QUOTES = ("minimal", "all", "after a blank")
BEYOND_LATIN = ("thousands by thin blanks", "thousands by apostrophes", "currency", "decomposed", "zero width")
NAMES = {  # as they stand in the file
    "plain": {},
    "separators inside": {"age": "age (years; 90 = 90 or more; 99 = unknown)", "ward": "ward, at entry; of three"},
    "codes": {"platelets": "777.3"},
    "blanks": {"ward": " ward\u00a0 of entry "},
}


@dataclass(frozen=True)
class Variant:
    """A file and what it holds.

    Attributes:
        name: what was drawn.
        path: the file.
        cohort: what it holds.
        names: columns that have another name in the file, in plain text.
    """

    name: str
    path: Path
    cohort: Cohort
    names: dict[str, str]


def variants(folder: Path, *, seed: int, number: int) -> Iterator[Variant]:
    """Yield files drawn from all that can vary, two thirds of them text."""
    rng = np.random.default_rng(seed)
    for place in range(number):
        write = (_text, _text, _text, _text, _parquet, _statistics)[place % 6]
        yield write(rng, folder, place)


def _pick(rng: np.random.Generator, choices: object) -> str:
    return str(rng.choice(np.array(list(choices), dtype=object)))  # type: ignore[call-overload]


def _content(rng: np.random.Generator) -> tuple[dict[str, str], Cohort]:
    """Return what was drawn, most of it plain, and the cohort."""
    plain = {"number": "plain", "date": "iso", "null": "", "key": "short", "alike": "as they are", "sentinel": ""}
    choices = {"number": NUMBERS, "date": DATES, "null": NULLS, "key": KEYS, "alike": ALIKE, "sentinel": SENTINELS}
    drawn = {name: _pick(rng, choices[name]) if rng.random() < 0.5 else plain[name] for name in choices}
    return drawn, cohort(rng, **drawn)


def _name(drawn: dict[str, str], *more: str) -> str:
    return ", ".join([*(f"{name} {value!r}" for name, value in drawn.items()), *more])


def _text(rng: np.random.Generator, folder: Path, place: int) -> Variant:
    drawn, made = _content(rng)
    encoding, separator, end = _pick(rng, ENCODINGS), _pick(rng, SEPARATORS), _pick(rng, ENDS)
    before, last, quoting, naming = _pick(rng, BEFORE), _pick(rng, LAST), _pick(rng, QUOTES), _pick(rng, NAMES)
    if encoding in ("latin-1", "cp1252") and ({*drawn.values()} & {*BEYOND_LATIN}):
        encoding = "utf-8"
    names = NAMES[naming]
    table = made.written.rename(columns=names)
    rows = [list(table.columns), *table.to_numpy().tolist()]
    text = _rows(rows, separator=separator, quoting=quoting)
    text = before.replace("sep=", f"sep={separator}").replace(",", separator) + text
    text = {"cut": text.rstrip("\n"), "blank lines": text + "\n\n", "a row of blanks": text + "  \n"}.get(last, text)
    content = text.replace("\n", end).encode(encoding)
    path = folder / f"{place}.{'tsv' if separator == chr(9) and rng.random() < 0.5 else 'csv'}"
    if rng.random() < 0.2:
        path, content = path.with_name(f"{path.name}.gz"), gzip.compress(content)
    path.write_bytes(content)
    how = f"{encoding}, separator {separator!r}, line end {end!r}, first {before!r}, last {last!r}, quotes {quoting}"
    return Variant(_name(drawn, how, f"names {naming}"), path, made, {old: " ".join(new.split()) for old, new in names.items()})


def _rows(rows: list[list[str]], *, separator: str, quoting: str) -> str:
    if quoting == "after a blank":
        cells = [[f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row] for row in rows]
        return "".join(f"{separator} ".join(row) + "\n" for row in cells)
    out = io.StringIO()
    how = csv.QUOTE_ALL if quoting == "all" else csv.QUOTE_MINIMAL
    csv.writer(out, delimiter=separator, quoting=how, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _parquet(rng: np.random.Generator, folder: Path, place: int) -> Variant:
    drawn, made = _content(rng)
    columns = {name: pa.array([cell or None for cell in made.written[name]], pa.string()) for name in made.written}
    keys = _pick(rng, ("string", "binary", "dictionary", "decimal", "int64"))
    whole = drawn["key"] in ("short", "long")
    if keys in ("decimal", "int64") and whole:
        numbers = [Decimal(key) if keys == "decimal" else int(key) for key in made.truth["patient_id"]]
        columns["patient_id"] = pa.array(numbers, pa.decimal128(38, 0) if keys == "decimal" else pa.int64())
    elif keys in ("binary", "dictionary"):
        ids = columns["patient_id"]
        columns["patient_id"] = ids.cast(pa.binary()) if keys == "binary" else ids.dictionary_encode()
    dates = _pick(rng, ("text", "date32", "timestamp[us]", "timestamp[ns]", "timestamp[us, tz=UTC]"))
    if dates != "text":
        days = pa.array(list(made.truth["admitted"].dt.date.where(made.truth["admitted"].notna(), None)), pa.date32())
        kind = {"date32": pa.date32(), "timestamp[us]": pa.timestamp("us"), "timestamp[ns]": pa.timestamp("ns")}
        columns["admitted"] = days.cast(kind.get(dates, pa.timestamp("us", tz="UTC")))
    numbers_as = _pick(rng, ("text", "double", "decimal", "float"))
    if numbers_as != "text":
        cells = [None if pd.isna(cell) else float(cell) for cell in made.truth["platelets"]]
        kinds = {"double": pa.float64(), "float": pa.float32(), "decimal": pa.decimal128(20, 1)}
        columns["platelets"] = pa.array(cells, pa.float64()).cast(kinds[numbers_as], safe=False)
    columns["died"] = pa.array(made.truth["died"].to_numpy(), pa.int8() if rng.random() < 0.5 else pa.int64())
    pq.write_table(pa.table(columns), folder / f"{place}.parquet")
    return Variant(
        _name(drawn, f"parquet: key {keys}, dates {dates}, numbers {numbers_as}"), folder / f"{place}.parquet", made, {}
    )


def _statistics(rng: np.random.Generator, folder: Path, place: int) -> Variant:
    try:
        import pyreadstat
    except ImportError:
        return _parquet(rng, folder, place)
    drawn, made = _content(rng)
    table = made.written.assign(
        age=made.truth["age"],
        platelets=made.truth["platelets"],
        admitted=made.truth["admitted"].dt.date.where(made.truth["admitted"].notna(), None),
        died=made.truth["died"].astype(float),
    )
    suffix = _pick(rng, ("sav", "dta", "xpt"))
    write = {"sav": pyreadstat.write_sav, "dta": pyreadstat.write_dta, "xpt": pyreadstat.write_xport}[suffix]
    write(table, str(folder / f"{place}.{suffix}"))
    drawn = {name: value for name, value in drawn.items() if name in ("null", "key", "alike")}
    return Variant(_name(drawn, suffix), folder / f"{place}.{suffix}", made, {})
