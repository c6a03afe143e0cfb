"""Tables and settings with which a sampler trains in about a second."""

from __future__ import annotations

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

from mgvae import MGVAEOverSampler

MAJORITY, RARE = 48, 12


def quick(sampling_strategy="auto", **changes):
    """Return a sampler that is quick and knows little; ``plausibility="matched"`` makes it several times slower."""
    values = {
        "hidden": (16, 16),
        "epochs": 2,
        "finetune_epochs": 2,
        "ewc_lambda": 1.0,
        "exemplars": 200,
        "plausibility": "none",
    }
    return MGVAEOverSampler(sampling_strategy, **(values | {"random_state": 0} | changes))


def labels(majority=MAJORITY, rare=RARE):
    """Return 0 for the majority, then 1."""
    return np.repeat([0, 1], [majority, rare])


def small(n=MAJORITY + RARE, *, seed=0):
    """Return a table of two numbers and a text."""
    rng = np.random.default_rng(seed)
    text = np.array(["red", "green", "blue"], dtype=object)[rng.integers(0, 3, n)]
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 9, n), "c": pd.Series(text, dtype="str")})


def every_dtype(n=MAJORITY + RARE, *, seed=0):
    """Return a column of each dtype that a user meets, by name."""
    rng = np.random.default_rng(seed)
    number, whole, gone = rng.normal(size=n), rng.integers(0, 50, n), rng.random(n) < 0.1
    word = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, n)]
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(whole, unit="D"))

    def holed(values):
        return pd.Series(values).where(~gone)

    def arrow(values, kind):
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values, type=kind)))

    def objects(values):
        return pd.Series(values, dtype=object)

    out = {name: pd.Series(whole).astype(name) for name in ("int8", "int16", "int32", "int64")}
    out |= {name: pd.Series(whole).astype(name) for name in ("uint8", "uint16", "uint32", "uint64")}
    out |= {name: holed(number).astype(name) for name in ("float16", "float32", "float64", "Float32", "Float64")}
    out |= {name: holed(whole).astype(name) for name in ("Int64", "Int8", "UInt16")}
    out |= {name: holed(word).astype(name) for name in ("str", "string", "string[pyarrow]", "category", "object")}
    out |= {
        "bool": pd.Series(number > 0),
        "boolean": holed((number > 0).astype(object)).astype("boolean"),
        "object bool": objects([True, False, None] * (n // 3)),
        "object mixed": objects([1, "a", 2.5, None, (1, 2), b"x"] * (n // 6)),
        "object whole": objects([None if at % 7 == 0 else int(at) for at in whole]),
        "object float": objects([None if at % 7 == 0 else float(at) / 3 for at in whole]),
        "object decimal": objects([Decimal(int(at)) / 4 for at in whole]),
        "object date": objects([datetime.date(2020, 1, 1 + int(at) % 5) for at in whole]),
        "ordered": pd.Series(pd.Categorical(holed(word), categories=["z", "c", "b", "a"], ordered=True)),
        "unused": pd.Series(pd.Categorical(word, categories=["never", "a", "b", "c", "nor this"])),
        "numeric category": pd.Series(whole % 4).astype("category"),
        "bool category": pd.Series(number > 0).astype("category"),
        "interval category": pd.cut(pd.Series(number), 4),
        "date category": (day - pd.to_timedelta(whole - whole % 5, unit="D")).astype("category"),
        "interval": pd.Series(pd.arrays.IntervalArray.from_arrays(whole % 4, whole % 4 + 1)),
        "period": pd.Series(pd.PeriodIndex(day, freq="M")),
    }
    for unit in ("s", "ms", "us", "ns"):
        out[f"datetime {unit}"] = holed(day).astype(f"datetime64[{unit}]")
        out[f"duration {unit}"] = holed(pd.to_timedelta(whole, unit="h")).astype(f"timedelta64[{unit}]")
    out |= {
        "zone": out["datetime us"].dt.tz_localize("Europe/Berlin"),
        "offset": out["datetime ns"].dt.tz_localize(datetime.timezone(datetime.timedelta(hours=2))),
        "centuries in ns": pd.Series(np.array(["1680-01-01", "2000-02-02", "2260-01-01"] * (n // 3), dtype="datetime64[ns]")),
        "arrow whole": holed(whole).astype("Int64").astype(pd.ArrowDtype(pa.int32())),
        "arrow float": holed(number).astype(pd.ArrowDtype(pa.float32())),
        "arrow text": holed(word).astype(pd.ArrowDtype(pa.large_string())),
        "arrow bool": arrow([None if at % 5 == 0 else bool(at % 2) for at in whole], pa.bool_()),
        "arrow timestamp": out["datetime us"].astype(pd.ArrowDtype(pa.timestamp("us"))),
        "arrow zone": arrow(day.dt.to_pydatetime().tolist(), pa.timestamp("us", tz="Europe/Paris")),
        "arrow date": arrow([None if at % 5 == 0 else one.date() for at, one in zip(whole, day, strict=True)], pa.date32()),
        "arrow date64": arrow([one.date() for one in day], pa.date64()),
        "arrow time": arrow([datetime.time(int(at) % 4) for at in whole], pa.time64("us")),
        "arrow duration": out["duration us"].astype(pd.ArrowDtype(pa.duration("us"))),
        "arrow decimal": arrow([None if at % 5 == 0 else Decimal(int(at)) / 4 for at in whole], pa.decimal128(10, 2)),
        "arrow dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(word.tolist()).dictionary_encode())),
        "sparse": pd.Series(np.where(number > 0.5, number, 0)).astype(pd.SparseDtype(float, 0.0)),
        "sparse missing": holed(number).astype(pd.SparseDtype(float, np.nan)),
        "sparse 0/1": pd.Series(whole % 2).astype(pd.SparseDtype("uint8", 0)),
        "sparse bool": pd.Series(number > 0).astype(pd.SparseDtype(bool, False)),
        "constant": pd.Series(3, index=range(n)),
        "constant text": pd.Series("k", index=range(n), dtype="str"),
        "constant bool": pd.Series(True, index=range(n)),
        "constant date": pd.Series(day[0], index=range(n)),
        "constant or missing": holed(np.full(n, 2.0)),
        "constant text or missing": holed(np.full(n, "k", dtype=object)).astype("str"),
        "two numbers": pd.Series(np.where(number > 0, 3.5, -1.0)),
        "two whole or missing": holed(np.where(number > 0, 1, 2)).astype("Int64"),
        "two large": pd.Series(np.where(number > 0, 2**53 + 1, 2**53 + 3)),
        "below 2^53": pd.Series(2**53 - 1 - whole),
        "heavy tail": pd.Series(np.exp(50 * number)),
        "greatest float": pd.Series(np.where(whole < 5, 1.7e308, np.where(whole > 45, -1.7e308, number))),
        "least float": pd.Series(number * 1e-310),
    }
    for name in ("float64", "Int64", "str", "object", "boolean", "datetime64[us]", "datetime64[us, UTC]", "category"):
        out[f"no {name}"] = pd.Series([None] * n).astype(name)
    return out
