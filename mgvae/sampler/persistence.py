"""A fitted sampler as two files, without pickle and without any patient's row.

What they hold of the training table: for each numeric column or date its distinct values or quantiles, at most 512; for each
column of levels the names of those that at least `column_types.FEWEST_ROWS` rows have. A rarer one may identify a person and is
left out: a loaded sampler draws a frequent one instead.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import save

from mgvae.arrays import Array
from mgvae.errors import CheckpointError, TableError, reason_of
from mgvae.files import scratch_folder
from mgvae.generator.resampling import PortableGenerator
from mgvae.model.encoding import Encoding, encoding_from_json
from mgvae.model.likelihood import TableLikelihood
from mgvae.model.network import MGVAE
from mgvae.sampler.column_types import ColumnType, LevelColumn, NumericColumn, StepColumn
from mgvae.sampler.json_values import dtype_from_json, dtype_to_json, from_json, to_json
from mgvae.sampler.table_types import TableTypes
from mgvae.torch_runtime import own_stream
from mgvae.training.checkpoint import below, fitting, plain, read_pair

FORMAT = 1
WEIGHTS, DESCRIPTION = "sampler.safetensors", "sampler.json"
COLUMN_TYPES: dict[str, type[ColumnType]] = {"numbers": NumericColumn, "steps": StepColumn, "levels": LevelColumn}
FIELDS_IN_FILE = {  # what format 1 calls fields of a column type
    "object_kind": "held",
    "numpy_dtype": "plain",
    "last_step": "most",
    "rare_level": "shared",
    "substitutes": "pooled",
    "substitute_shares": "share",
    "suppressed": "withheld",
}


@dataclass(frozen=True, eq=False)
class FittedState:
    """A sampler's parameters and its fitted attributes, without their underscore.

    Attributes (the others are described in `MGVAEOverSampler`):
        parameters: the constructor's arguments, by name.
        encoding: of the typed table.
        table_types: of the user's table, without the names of rare levels.
        translators: label -> what makes further rows.
    """

    parameters: Mapping[str, Any]
    sampling_strategy: Mapping[Any, int]
    classes: Array
    history: dict[str, Any]
    n_features_in: int
    feature_names_in: Array | None
    encoding: Encoding
    table_types: TableTypes
    translators: Mapping[Any, PortableGenerator]


def write_state(state: FittedState, folder: Path) -> Path:
    """Write ``state`` into ``folder``, whole or not at all, for its owner alone.

    Raises:
        CheckpointError: the folder holds something else or cannot be written, or a label or level has no form in JSON.
    """
    weights = save(_tensors(state.translators))
    text = _text(state, weights)
    if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} must be a new or empty folder, or hold a saved sampler. Choose another path.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with scratch_folder(folder) as place:
            (place / DESCRIPTION).write_text(text, encoding="utf-8")
            (place / WEIGHTS).write_bytes(weights)
            for name in (WEIGHTS, DESCRIPTION):
                (place / name).chmod(0o600)
                (place / name).replace(folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder} must be writable with space left; {reason_of(error)}.") from None
    return folder


def read_state(folder: Path, *, known_parameters: Collection[str]) -> FittedState:
    """Return what `write_state` wrote into ``folder``.

    Raises:
        CheckpointError: a file is missing, unreadable or of another version, or has a parameter that is not among
            ``known_parameters`` or a column of a type that is not supported any more.
    """
    content, tensors = read_pair(folder / DESCRIPTION, folder / WEIGHTS, version=FORMAT)
    if content.get("weights") != hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest():
        raise CheckpointError(f"{WEIGHTS} must be the file that {DESCRIPTION} was saved with; it is another. Save again.")
    with fitting(), own_stream():
        encoding, names = encoding_from_json(content["encoding"]), content["feature_names_in"]
        types = TableTypes(_labels(content["columns"]), tuple(_column_type(entry) for entry in content["handlers"]))
        if not set(content["parameters"]) <= set(known_parameters):
            raise ValueError("parameters")
        if not content["n_features_in"] == len(encoding.coders) == len(types.column_types) > 0:
            raise ValueError("columns")
        return FittedState(
            parameters=_parameters(content["parameters"]),
            sampling_strategy=_from_pairs(content["sampling_strategy"]),
            classes=pd.Series(_from_list(content["classes"])).to_numpy(),
            history={**content["history"], "finetune": _from_pairs(content["history"]["finetune"])},
            n_features_in=content["n_features_in"],
            feature_names_in=None if names is None else np.array(names, dtype=object),
            encoding=encoding,
            table_types=types,
            translators={
                from_json(entry["label"]): _translator(entry, below(tensors, f"{at}."), encoding)
                for at, entry in enumerate(content["translators"])
            },
        )


def _text(state: FittedState, weights: bytes) -> str:
    try:
        return json.dumps({**_content(state), "weights": hashlib.sha256(weights).hexdigest()}, default=_numpy_to_json)
    except (TypeError, TableError):
        raise CheckpointError(
            "To be saved, labels, levels and column names must be text, numbers, booleans or times, and sampling_strategy no"
            " function. Convert them, or keep the sampler in memory."
        ) from None


def _content(state: FittedState) -> dict[str, Any]:
    parameters = dict(state.parameters)
    if isinstance(parameters["random_state"], np.random.RandomState):
        parameters["random_state"] = None
    if isinstance(parameters["sampling_strategy"], Mapping):
        parameters["sampling_strategy"] = {"pairs": _to_pairs(parameters["sampling_strategy"])}
    labels = state.table_types.labels
    return {
        "format": FORMAT,
        "parameters": parameters,
        "sampling_strategy": _to_pairs(state.sampling_strategy),
        "classes": [to_json(label) for label in state.classes],
        "history": {**state.history, "finetune": _to_pairs(state.history["finetune"])},
        "n_features_in": state.n_features_in,
        "feature_names_in": state.feature_names_in,
        "columns": len(labels) if isinstance(labels, pd.RangeIndex) else [to_json(name) for name in labels],
        "encoding": state.encoding.to_json(),
        "handlers": [_column_type_to_json(column_type) for column_type in state.table_types.column_types],
        "translators": [_model_to_json(label, known.model) for label, known in state.translators.items()],
    }


def _model_to_json(label: Any, model: MGVAE) -> dict[str, Any]:
    return {"label": to_json(label), "latent_dim": model.latent_dim, "hidden": model.hidden, "tied": model.tied}


def _labels(names: int | list[Any]) -> pd.Index:
    return pd.RangeIndex(names) if isinstance(names, int) else pd.Index(_from_list(names))


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    if isinstance(out["sampling_strategy"], dict):
        out["sampling_strategy"] = _from_pairs(out["sampling_strategy"]["pairs"])
    return out


def _tensors(translators: Mapping[Any, PortableGenerator]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for at, known in enumerate(translators.values()):
        out |= {f"{at}.model.{name}": value for name, value in known.model.state_dict().items()}
        slopes = {"tilt": known.tilt, "keep": known.keep}
        out |= {f"{at}.{name}": value for name, value in slopes.items() if value is not None}
    return plain(out)


def _translator(entry: Mapping[str, Any], tensors: dict[str, Any], encoding: Encoding) -> PortableGenerator:
    hidden = tuple(entry["hidden"])
    likelihood = TableLikelihood(encoding, hidden[0])
    model = MGVAE(likelihood, hidden=hidden, latent_dim=entry["latent_dim"], tied=entry["tied"])
    model.load_state_dict(below(tensors, "model."))
    return PortableGenerator(model, tensors.get("tilt"), tensors.get("keep"))


def _column_type_to_json(column_type: ColumnType) -> dict[str, Any]:
    kind = next(name for name, known in COLUMN_TYPES.items() if isinstance(column_type, known))
    fields = {
        FIELDS_IN_FILE.get(name, name): [to_json(item) for item in value] if isinstance(value, tuple) else to_json(value)
        for name, value in vars(column_type).items()
        if name != "dtype"
    }
    return {**fields, "type": kind, "dtype": dtype_to_json(column_type.dtype)}


def _column_type(entry: Mapping[str, Any]) -> ColumnType:
    if entry.get("limits") or "int64" in entry.get("plain", ""):
        raise CheckpointError(
            "A saved sampler must have no column of whole numbers of 2^53 or more; got one. Convert or drop it and train again."
        )
    names = {old: new for new, old in FIELDS_IN_FILE.items()}
    fields = {
        names.get(name, name): tuple(_from_list(value)) if isinstance(value, list) else from_json(value)
        for name, value in entry.items()
        if name not in ("type", "dtype", "limits")
    }
    make: Any = COLUMN_TYPES[entry["type"]]
    column_type: ColumnType = make(dtype=dtype_from_json(entry["dtype"]), **fields)
    return column_type


def _from_list(entries: list[Any]) -> list[Any]:
    return [from_json(entry) for entry in entries]


def _to_pairs(mapping: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return [(to_json(key), value) for key, value in mapping.items()]


def _from_pairs(entries: list[Any]) -> dict[Any, Any]:
    return {from_json(key): value for key, value in entries}


def _numpy_to_json(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(type(value).__name__)
