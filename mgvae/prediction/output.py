"""Files of predictions, written a batch at a time, there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from mgvae.errors import ConfigError, DataError, StoreError, reason_of
from mgvae.files import scratch_folder
from mgvae.prediction.predictor import Scored
from mgvae.results.scoring import KEPT_COLUMNS

SUFFIXES = (".csv", ".parquet")
TYPES = {"string": pa.string(), "timestamp[us]": pa.timestamp("us"), "double": pa.float64(), "bool": pa.bool_()}
MEDS = pa.schema(
    [
        ("subject_id", pa.int64()),
        ("prediction_time", pa.timestamp("us")),
        ("predicted_boolean_value", pa.bool_()),  # the alert; meds-evaluation wants both
        ("predicted_boolean_probability", pa.float64()),
    ]
)
KEPT = pa.schema([(name, TYPES[kind]) for name, kind in KEPT_COLUMNS.items()])


def check_output(path: Path, *, force: bool, meds: bool = False) -> None:
    """Raise unless predictions may be written to a file.

    Raises:
        ConfigError: its name, its folder or a file that is there is in the way.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{path}: must be a .csv or .parquet file, by its name.")
    if meds and path.suffix.lower() != ".parquet":
        raise ConfigError(f"{path}: MEDS predictions must be a .parquet file, by its name.")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: its folder must exist; it does not. Make it, or correct --out.")
    if path.is_dir() or (path.exists() and not force):
        raise ConfigError(f"{path}: must not exist yet. Choose another name, or replace it with --force.")


def risk_rows(scored: Scored) -> pa.Table:
    """Return predictions as they are written for people."""
    table = pa.Table.from_pandas(scored.table, preserve_index=False)
    time = table.schema.get_field_index("prediction_time")
    return table.set_column(time, "prediction_time", table.column(time).cast(pa.timestamp("us")))


def meds_rows(scored: Scored) -> pa.Table:
    """Return predictions in the schema of MEDS; the value is the alert, the probability the risk.

    Where `mgvae build` made several rows of a subject, each named ``subject@time`` with the subject as group, its name is the
    subject's.

    Raises:
        DataError: a patient's name is no whole number, which MEDS wants.
    """
    subject = scored.table["subject_id"].astype(str)
    if scored.group is not None:
        named = zip(subject, scored.group.astype(str), strict=True)
        subject = pd.Series([of if name.startswith(f"{of}@") else name for name, of in named], dtype="str")
    names = pd.to_numeric(subject, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    exact = subject.map(lambda name: name.lstrip("-").isdecimal())
    wrong = int((~exact | ~(np.abs(names) < 2**63)).sum())
    if wrong:
        raise DataError(
            f"MEDS wants whole numbers as subject_id; {wrong} patients have other names. Leave out --meds, or number them."
        )
    columns = [
        pa.array([int(name) for name in subject], pa.int64()),
        pa.array(scored.table["prediction_time"], pa.timestamp("us")),
        pa.array(scored.table["alert"], pa.bool_()),
        pa.array(scored.table["risk"], pa.float64()),
    ]
    return pa.Table.from_arrays(columns, schema=MEDS)


def kept_rows(scored: Scored) -> pa.Table:
    """Return predictions as they are kept until the outcome is known, see `mgvae.results.scoring`."""
    missing = pa.nulls(len(scored.table), pa.string())
    columns = [
        missing
        if name == "group" and scored.group is None
        else pa.array(scored.group if name == "group" else scored.table[name], type=KEPT.field(name).type, from_pandas=True)
        for name in KEPT.names
    ]
    return pa.Table.from_arrays(columns, schema=KEPT)


class _Csv:
    """A CSV file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = csv.CSVWriter(str(path), schema)

    def write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows)

    def close(self) -> None:
        self._writer.close()


class _Parquet(_Csv):
    """A Parquet file."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = parquet.ParquetWriter(str(path), schema)


class Output:
    """A file to which rows are added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None

    def add(self, rows: pa.Table) -> None:
        """Write further rows; the first ones fix the columns."""
        schema = rows.schema.remove_metadata()
        if self._file is None:
            self._file = (_Csv if self.path.suffix.lower() == ".csv" else _Parquet)(self.path, schema)
        self._file.write(rows.cast(schema))

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()


@contextmanager
def outputs(*targets: Path) -> Iterator[list[Output]]:
    """Yield files to write to; they take their places together, readable by their owner alone, if nothing goes wrong.

    Raises:
        StoreError: a file cannot be written.
    """
    with ExitStack() as stack:
        try:
            folders = [stack.enter_context(scratch_folder(target.parent)) for target in targets]
            made = [Output(folder / target.name) for folder, target in zip(folders, targets, strict=True)]
            yield made
            for output in made:
                output.close()
            for output, target in zip(made, targets, strict=True):
                output.path.chmod(0o600)
                output.path.replace(target)
        except OSError as error:
            raise StoreError(f"{targets[0]}: must be writable with space left; {reason_of(error)}.") from None
