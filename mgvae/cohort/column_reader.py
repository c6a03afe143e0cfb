"""Read Parquet files of typed tables a column at a time: the file's own copy of all is never in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import pandas as pd
from pyarrow import parquet


def read_columns(path: Path, categories: Collection[str] = ()) -> Iterator[tuple[str, pd.Series]]:
    """Yield the name and the cells of each column; those of the index are not among them.

    Args:
        path: a file that pandas wrote.
        categories: columns of text that are read as categories: each text is in memory once.
    """
    names = set(parquet.read_schema(path).names)
    file = parquet.ParquetFile(path, read_dictionary=[name for name in categories if name in names])
    about = file.schema_arrow.pandas_metadata or {}
    index = {name for name in about.get("index_columns", ()) if isinstance(name, str)}
    described = {column.get("field_name", column["name"]): column for column in about.get("columns", ())}
    for name in map(str, file.schema_arrow.names):
        if name not in index:
            # of its own column alone: for each table pandas looks up the type of every column that is described
            own = about | {"columns": [described[name]] if name in described else [], "index_columns": []}
            cells = file.read(columns=[name]).replace_schema_metadata({"pandas": json.dumps(own)} if about else None)
            yield name, cells.to_pandas()[name]


def read_by_column(path: Path, categories: Collection[str] = ()) -> pd.DataFrame:
    """Return a table that pandas wrote, its rows renumbered from 0; see `read_columns`."""
    columns = {name: cells.reset_index(drop=True) for name, cells in read_columns(path, categories)}
    rows = parquet.ParquetFile(path).metadata.num_rows
    return pd.DataFrame(columns, index=pd.RangeIndex(rows), copy=False)
