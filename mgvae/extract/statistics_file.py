"""Read tables of SPSS, SAS and Stata, value labels as levels. Needs pyreadstat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from mgvae.errors import ExtractError
from mgvae.extract.bounds import check_size
from mgvae.extract.parts import Part

STATA, STATA_END = b"<stata_dta>", b"</stata_dta>"
XPT_RECORD = 80  # bytes
READERS = {"sav": "read_sav", "sas7bdat": "read_sas7bdat", "xpt": "read_xport", "dta": "read_dta"}


def statistics_header(part: Part) -> list[str]:
    """Return the column names of a table of SPSS, SAS or Stata.

    Raises:
        ExtractError: it is damaged, unpacks to more than any table, or pyreadstat is not installed.
    """
    about = _read(part, metadataonly=True)[1]
    unpacked = max(about.number_rows or 0, 0) * sum(about.variable_storage_width.values())
    check_size(unpacked, int(part.fs.info(part.path).get("size") or 0), part.label, instead="save it in several files")
    return [str(name) for name in about.column_names]


def statistics_batch(part: Part, columns: Sequence[str]) -> Any:
    """Return an Arrow record batch of ``columns``.

    Numbers of which every one has a value label are the texts of their labels; values that the file declares as missing are
    missing.

    Raises:
        ExtractError: it is damaged or cut off.
    """
    table, about = _read(part, usecols=list(columns))
    if about.number_rows is not None and about.number_rows > len(table):
        raise ExtractError(
            f"{part.label}: must have {about.number_rows:,} rows, as its header says; {len(table):,} are there. Copy it again "
            f"from its source."
        )
    cells = [pa.array(_labelled(table[name], about.variable_value_labels.get(name, {})), from_pandas=True) for name in columns]
    return pa.RecordBatch.from_arrays(cells, names=list(columns))


def _labelled(cells: pd.Series, labels: dict[Any, str]) -> pd.Series:
    known = cells.dropna().unique()
    if not labels or not all(value in labels for value in known):
        return cells
    return cells.map({value: labels[value] for value in known}).astype("str")


def _check_end(part: Part, file: Any) -> None:
    """Refuse a file that lacks its end, where its format shows one: else value labels would be lost without a word."""
    start = file.read(len(STATA))
    size = file.seek(0, 2)
    file.seek(max(size - len(STATA_END), 0))
    end = file.read()
    file.seek(0)
    if (start == STATA and not end.endswith(STATA_END)) or (part.format == "xpt" and size % XPT_RECORD):
        raise ExtractError(f"{part.label}: the file is cut off: its end is missing. Copy it again from its source.")


def _read(part: Part, **options: Any) -> tuple[pd.DataFrame, Any]:
    try:
        import pyreadstat
    except ImportError:
        raise ExtractError(
            f"{part.label}: tables of SPSS, SAS and Stata need the package pyreadstat; it is not installed. Install it with "
            f"pip install 'mgvae-cohort[statistics]', or save the table as CSV or Parquet."
        ) from None
    with part.open() as file:
        _check_end(part, file)
        try:
            read = getattr(pyreadstat, READERS[part.format])
            table, about = read(file, encoding=part.encoding, **options)
        except Exception as error:  # its errors have no common base
            raise ExtractError(
                f"{part.label}: must be a table as its name says; it is damaged, cut off or of another kind "
                f"({type(error).__name__}). Copy it again from its source."
            ) from None
    return table, about
