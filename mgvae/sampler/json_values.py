"""Labels, levels, column names and pandas dtypes as JSON."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from mgvae.errors import TableError

TO_JSON: dict[type, tuple[str, Callable[[Any], Any]]] = {  # looked up in this order: a Timestamp is a datetime, and that a date
    tuple: ("tuple", lambda value: [to_json(entry) for entry in value]),
    pd.Interval: ("interval", lambda value: [to_json(value.left), to_json(value.right), value.closed]),
    pd.Timestamp: ("timestamp", lambda value: [value.isoformat(), value.unit, None if value.tz is None else str(value.tz)]),
    pd.Timedelta: ("timedelta", lambda value: [int(value.as_unit("ns").value), value.unit]),
    pd.Period: ("period", lambda value: [str(value), value.freqstr]),
    datetime.datetime: ("datetime", lambda value: value.isoformat()),
    datetime.date: ("date", lambda value: value.isoformat()),
    datetime.time: ("time", lambda value: value.isoformat()),
    Decimal: ("decimal", str),
    bytes: ("bytes", lambda value: base64.b64encode(value).decode()),
}

FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "tuple": lambda parts: tuple(from_json(entry) for entry in parts),
    "interval": lambda parts: pd.Interval(from_json(parts[0]), from_json(parts[1]), closed=parts[2]),
    "timestamp": lambda parts: _timestamp(*parts),
    "timedelta": lambda parts: pd.Timedelta(parts[0], unit="ns").as_unit(parts[1]),
    "period": lambda parts: pd.Period(parts[0], freq=parts[1]),
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "decimal": Decimal,
    "bytes": base64.b64decode,
    "NA": lambda _: pd.NA,
    "NaT": lambda _: pd.NaT,
}


def to_json(value: Any) -> Any:
    """Return a label, a level or a column's name as JSON.

    Raises:
        TableError: it is of a kind that has no form here.
    """
    if value is pd.NA or value is pd.NaT:
        return {"is": "NA" if value is pd.NA else "NaT", "of": None}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for kind, (name, parts) in TO_JSON.items():
        if isinstance(value, kind):
            return {"is": name, "of": parts(value)}
    raise TableError(f"Labels, levels and column names must be text, numbers, booleans or times; got {type(value).__name__}.")


def from_json(value: Any) -> Any:
    """Return what `to_json` was given."""
    return FROM_JSON[value["is"]](value["of"]) if isinstance(value, dict) else value


def dtype_to_json(dtype: Any) -> Any:
    """Return a pandas dtype as JSON, with all its categories."""
    if isinstance(dtype, pd.CategoricalDtype):
        categories = [to_json(value) for value in dtype.categories]
        return {"categories": categories, "of": dtype_to_json(dtype.categories.dtype), "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow as pa  # an optional dependency of pandas: who has such a column has it

        schema = pa.schema([pa.field("", dtype.pyarrow_dtype)]).serialize().to_pybytes()
        return {"arrow": base64.b64encode(schema).decode()}
    if isinstance(dtype, pd.SparseDtype):
        return {"sparse": str(dtype.subtype), "fill": to_json(dtype.fill_value)}
    return str(dtype)


def dtype_from_json(entry: Any) -> Any:
    """Return the dtype that `dtype_to_json` was given."""
    if isinstance(entry, str):
        return pd.api.types.pandas_dtype(entry)
    if "arrow" in entry:
        import pyarrow as pa

        return pd.ArrowDtype(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(entry["arrow"]))).field(0).type)
    if "sparse" in entry:
        return pd.SparseDtype(entry["sparse"], from_json(entry["fill"]))
    categories = pd.Index([from_json(entry) for entry in entry["categories"]], dtype=dtype_from_json(entry["of"]))
    return pd.CategoricalDtype(categories, ordered=entry["ordered"])


def _timestamp(text: str, unit: str, zone: str | None) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return (moment if zone is None else moment.tz_convert(zone)).as_unit(unit)  # type: ignore[arg-type]
