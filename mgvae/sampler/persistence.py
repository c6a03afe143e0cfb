"""A fitted sampler as two files, ``sampler.json`` and ``sampler.safetensors``: no pickle, and no row of any patient.

What is in them of the training table: for each numeric column or date its distinct values or quantiles, at most 512; for each
column of levels the names of those that at least `handlers.FEWEST` rows have. Rarer ones may belong to one person and are left
out: a loaded sampler draws one of the others instead.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from safetensors.torch import save

from mgvae.errors import CheckpointError, TableError, reason_of
from mgvae.files import aside
from mgvae.generator.resampling import Translator
from mgvae.model.encoding import encoding_from_json
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE
from mgvae.sampler.column_types import Handler, Levels, Numbers, Steps
from mgvae.sampler.table_types import Frame
from mgvae.torch_runtime import own_stream
from mgvae.training.checkpoint import below, fitting, plain, read_pair

if TYPE_CHECKING:
    from mgvae.sampler.oversampler import MGVAEOverSampler


FORMAT = 1

WEIGHTS, DESCRIPTION = "sampler.safetensors", "sampler.json"

Sampler = TypeVar("Sampler", bound="MGVAEOverSampler")

HANDLERS: dict[str, type[Handler]] = {"numbers": Numbers, "steps": Steps, "levels": Levels}


def save_sampler(sampler: MGVAEOverSampler, folder: Path) -> Path:
    """Write ``sampler`` into ``folder``, whole or not at all, for its owner alone, and return the folder.

    Raises:
        CheckpointError: the folder holds something else or cannot be written, or a label or level has no form in JSON.
    """
    weights = save(_tensors(sampler.translators_))
    text = _text(sampler, weights)
    if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} must be a new or empty folder, or hold a saved sampler. Choose another path.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with aside(folder) as place:
            (place / DESCRIPTION).write_text(text, encoding="utf-8")
            (place / WEIGHTS).write_bytes(weights)
            for name in (WEIGHTS, DESCRIPTION):
                (place / name).chmod(0o600)
                (place / name).replace(folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder} must be writable with space left; {reason_of(error)}.") from None
    return folder


def load_sampler(cls: type[Sampler], folder: Path) -> Sampler:
    """Return the sampler in ``folder``; see `MGVAEOverSampler.load`."""
    content, tensors = read_pair(folder / DESCRIPTION, folder / WEIGHTS, version=FORMAT)
    if content.get("weights") != hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest():
        raise CheckpointError(f"{WEIGHTS} must be the file that {DESCRIPTION} was saved with; it is another. Save again.")
    with fitting(), own_stream():
        sampler = cls(**_parameters(content["parameters"]))
        sampler.sampling_strategy_ = dict(_pairs(content["sampling_strategy"]))
        sampler.classes_ = pd.Series(_values(content["classes"])).to_numpy()
        history = content["history"]
        sampler.history_ = {"pretrain": history["pretrain"], "finetune": dict(_pairs(history["finetune"]))}
        sampler.n_features_in_ = content["n_features_in"]
        if content["feature_names_in"] is not None:
            sampler.feature_names_in_ = np.array(content["feature_names_in"], dtype=object)
        sampler.encoding_ = encoding_from_json(content["encoding"])
        sampler.frame_ = Frame(_columns(content), tuple(_handler(entry) for entry in content["handlers"]))
        if not sampler.n_features_in_ == len(sampler.encoding_.coders) == len(sampler.frame_.handlers) > 0:
            raise ValueError("columns")
        sampler.translators_ = {
            from_json(entry["label"]): _translator(entry, below(tensors, f"{at}."), sampler)
            for at, entry in enumerate(content["translators"])
        }
    return sampler


def _text(sampler: MGVAEOverSampler, weights: bytes) -> str:
    try:
        return json.dumps({**_described(sampler), "weights": hashlib.sha256(weights).hexdigest()}, default=_plain)
    except (TypeError, TableError):
        raise CheckpointError(
            "To be saved, labels, levels and column names must be text, numbers, booleans or times, and sampling_strategy no"
            " function. Convert them, or keep the sampler in memory."
        ) from None


def _described(sampler: MGVAEOverSampler) -> dict[str, Any]:
    parameters = sampler.get_params(deep=False)
    if isinstance(parameters["random_state"], np.random.RandomState):
        parameters["random_state"] = None
    if isinstance(parameters["sampling_strategy"], Mapping):
        parameters["sampling_strategy"] = {"pairs": _as_pairs(parameters["sampling_strategy"])}
    labels = sampler.frame_.labels
    names = getattr(sampler, "feature_names_in_", None)
    return {
        "format": FORMAT,
        "parameters": parameters,
        "sampling_strategy": _as_pairs(sampler.sampling_strategy_),
        "classes": [to_json(label) for label in sampler.classes_],
        "history": {**sampler.history_, "finetune": _as_pairs(sampler.history_["finetune"])},
        "n_features_in": sampler.n_features_in_,
        "feature_names_in": names,
        "columns": len(labels) if isinstance(labels, pd.RangeIndex) else [to_json(name) for name in labels],
        "encoding": sampler.encoding_.to_json(),
        "handlers": [_entry(handler) for handler in sampler.frame_.handlers],
        "translators": [_model(label, one.model) for label, one in sampler.translators_.items()],
    }


def _model(label: Any, model: MGVAE) -> dict[str, Any]:
    return {"label": to_json(label), "latent_dim": model.latent_dim, "hidden": model.hidden, "tied": model.tied}


def _columns(content: Mapping[str, Any]) -> pd.Index:
    names = content["columns"]
    return pd.RangeIndex(names) if isinstance(names, int) else pd.Index(_values(names))


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if isinstance(out["sampling_strategy"], dict):
        out["sampling_strategy"] = dict(_pairs(out["sampling_strategy"]["pairs"]))
    return out


def _tensors(translators: Mapping[Any, Translator]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for at, one in enumerate(translators.values()):
        out |= {f"{at}.model.{name}": value for name, value in one.model.state_dict().items()}
        slopes = {"tilt": one.tilt, "keep": one.keep}
        out |= {f"{at}.{name}": value for name, value in slopes.items() if value is not None}
    return plain(out)


def _translator(entry: Mapping[str, Any], tensors: dict[str, Any], sampler: MGVAEOverSampler) -> Translator:
    hidden = tuple(entry["hidden"])
    likelihood = TableLikelihood(sampler.encoding_, hidden[0])
    model = MGVAE(likelihood, hidden=hidden, latent_dim=entry["latent_dim"], tied=entry["tied"])
    model.load_state_dict(below(tensors, "model."))
    return Translator(model, tensors.get("tilt"), tensors.get("keep"))


def _entry(handler: Handler) -> dict[str, Any]:
    kind = next(name for name, known in HANDLERS.items() if isinstance(handler, known))
    fields = {name: _written(value) for name, value in vars(handler).items() if name != "dtype"}
    return {**fields, "type": kind, "dtype": dtype_to_json(handler.dtype)}


def _written(value: Any) -> Any:
    return [to_json(one) for one in value] if isinstance(value, tuple) else to_json(value)


def _handler(entry: Mapping[str, Any]) -> Handler:
    fields = {
        name: tuple(_values(value)) if isinstance(value, list) else from_json(value)
        for name, value in entry.items()
        if name not in ("type", "dtype")
    }
    make: Any = HANDLERS[entry["type"]]
    handler: Handler = make(dtype=dtype_from_json(entry["dtype"]), **fields)
    return handler


def _values(entries: list[Any]) -> list[Any]:
    return [from_json(one) for one in entries]


def _as_pairs(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return [(to_json(key), value) for key, value in mapping.items()]


def _pairs(entries: list[Any]) -> list[tuple[Any, Any]]:
    return [(from_json(key), value) for key, value in entries]


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as JSON has them."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(type(value).__name__)


TO_JSON: dict[type, tuple[str, Callable[[Any], Any]]] = {  # looked up in this order: a Timestamp is a datetime, and that a date
    tuple: ("tuple", lambda value: [to_json(one) for one in value]),
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
    "tuple": lambda parts: tuple(from_json(one) for one in parts),
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
        categories = [to_json(one) for one in dtype.categories]
        return {"categories": categories, "of": dtype_to_json(dtype.categories.dtype), "ordered": bool(dtype.ordered)}
    if isinstance(dtype, pd.ArrowDtype):
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
        return pd.ArrowDtype(pa.ipc.read_schema(pa.py_buffer(base64.b64decode(entry["arrow"]))).field(0).type)
    if "sparse" in entry:
        return pd.SparseDtype(entry["sparse"], from_json(entry["fill"]))
    categories = pd.Index([from_json(one) for one in entry["categories"]], dtype=dtype_from_json(entry["of"]))
    return pd.CategoricalDtype(categories, ordered=entry["ordered"])


def _timestamp(text: str, unit: str, zone: str | None) -> pd.Timestamp:
    moment = pd.Timestamp(text)
    return (moment if zone is None else moment.tz_convert(zone)).as_unit(unit)  # type: ignore[arg-type]
