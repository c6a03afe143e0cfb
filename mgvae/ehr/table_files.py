"""The files of OMOP tables, CSV or Parquet, as relations of SQL."""

from __future__ import annotations

import csv
import gzip
from itertools import islice
from pathlib import Path

from mgvae.ehr.database import quoted
from mgvae.errors import ExtractError

ENDINGS = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz")


def table_files(folder: Path) -> dict[str, Path]:
    """Return the file or folder of each table of OMOP, by its lower-case name.

    Raises:
        ExtractError: it is no folder.
    """
    if not folder.is_dir():
        raise ExtractError(f"source.omop: {folder} must be a folder of OMOP tables. Check the path.")
    found = {}
    for path in sorted(folder.iterdir()):
        name = path.name.lower()
        ending = next((one for one in ENDINGS if name.endswith(one)), None)
        if path.is_dir() and any(path.rglob("*.parquet")):
            found[name.removesuffix(".parquet")] = path
        elif path.is_file() and ending is not None:
            found[name.removesuffix(ending)] = path
    return found


def relation_of(path: Path) -> str:
    """Return how SQL reads a file or a folder of Parquet.

    Raises:
        ExtractError: a CSV file cannot be read, or has no header.
    """
    if path.is_dir():
        return f"read_parquet({quoted(str(path / '**' / '*.parquet'))}, union_by_name = true)"
    if path.name.lower().endswith(".parquet"):
        return f"read_parquet({quoted(str(path))})"
    return _read_csv(path)


def _read_csv(path: Path) -> str:
    """Return how SQL reads a CSV file: all cells as text under the names of its header, nothing guessed."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    separator = "\t" if ".tsv" in path.name.lower() else ","
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            first = list(islice(csv.reader(file, delimiter=separator), 2))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error):
        raise ExtractError(f"{path}: must be a whole CSV file in UTF-8; it cannot be read. Export it again.") from None
    names = [name.strip().lower() for name in first[0]] if first else []
    if not names or len(set(names)) < len(names):
        raise ExtractError(f"{path}: the first row must name each column once. Export the table with its header.")
    cells = len(first[1]) if len(first) > 1 else len(names)
    names += [f"unnamed_{number}" for number in range(len(names), cells)]  # rows longer than the header, as exports do
    named = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    return (
        f"read_csv({quoted(str(path))}, columns = {{{named}}}, auto_detect = false, header = true, "
        f"delim = {quoted(separator)}, quote = '\"', escape = '\"', nullstr = '')"
    )
