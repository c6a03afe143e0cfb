"""A fitted sampler as two files, ``sampler.json`` and ``sampler.safetensors``: no pickle, and no row of any patient.

What is in them of the training table: for each numeric column its distinct values or quantiles, at most 512; for each column
of levels the names of the 256 most frequent. Rarer levels, which may belong to one person, are left out: a loaded sampler draws
one of the others instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from safetensors.torch import save_file

from mgvae.aside import aside
from mgvae.checkpoint import below, fitting, plain, read_pair
from mgvae.encoding import encoding_from_json
from mgvae.errors import CheckpointError
from mgvae.frames import Frame, Handler, Instants, Levels, Numbers
from mgvae.likelihood import TableLikelihood
from mgvae.model import MGVAE
from mgvae.translator import Translator

if TYPE_CHECKING:
    from mgvae.oversampler import MGVAEOverSampler

FORMAT = 1
WEIGHTS, DESCRIPTION = "sampler.safetensors", "sampler.json"
Sampler = TypeVar("Sampler", bound="MGVAEOverSampler")
HANDLERS: dict[str, type[Handler]] = {"numbers": Numbers, "instants": Instants, "levels": Levels}


def save_sampler(sampler: MGVAEOverSampler, folder: Path) -> Path:
    """Write ``sampler`` into ``folder``, whole or not at all, for its owner alone, and return the folder.

    Raises:
        CheckpointError: the folder holds something else or cannot be written, or a label or level is neither text nor a number.
    """
    try:
        text = json.dumps(_described(sampler), default=_jsonable, allow_nan=True)
    except TypeError:
        raise CheckpointError(
            "To be saved, labels, levels and column names must be text, numbers or booleans, and sampling_strategy no function."
            " Convert them, or keep the sampler in memory."
        ) from None
    if folder.exists() and not (folder / DESCRIPTION).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise CheckpointError(f"{folder} must be a new or empty folder, or hold a saved sampler. Choose another path.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with aside(folder) as place:
            (place / DESCRIPTION).write_text(text, encoding="utf-8")
            save_file(_tensors(sampler.translators_), place / WEIGHTS)
            for name in (WEIGHTS, DESCRIPTION):
                (place / name).chmod(0o600)
                (place / name).replace(folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder} must be writable with space left; {error.strerror or type(error).__name__}.") from None
    return folder


def load_sampler(cls: type[Sampler], folder: Path) -> Sampler:
    """Return the sampler in ``folder``; see `MGVAEOverSampler.load`."""
    content, tensors = read_pair(folder / DESCRIPTION, folder / WEIGHTS, version=FORMAT)
    with fitting():
        sampler = cls(**{name: _tupled(value) for name, value in content["parameters"].items()})
        sampler.sampling_strategy_ = dict(content["sampling_strategy"])
        sampler.classes_ = np.array(content["classes"])
        sampler.history_ = {"pretrain": content["history"]["pretrain"], "finetune": dict(content["history"]["finetune"])}
        sampler.n_features_in_ = content["n_features_in"]
        if content["feature_names_in"] is not None:
            sampler.feature_names_in_ = np.array(content["feature_names_in"], dtype=object)
        labels = pd.RangeIndex(sampler.n_features_in_) if content["ranged"] else pd.Index(content["labels"])
        sampler.encoding_ = encoding_from_json(content["encoding"])
        sampler.frame_ = Frame(labels, tuple(_handler(entry) for entry in content["handlers"]))
        sampler.translators_ = {
            entry["label"]: _translator(entry, below(tensors, f"{at}."), sampler)
            for at, entry in enumerate(content["translators"])
        }
    return sampler


def _described(sampler: MGVAEOverSampler) -> dict[str, Any]:
    parameters = sampler.get_params(deep=False)
    if isinstance(parameters["random_state"], np.random.RandomState):
        parameters["random_state"] = None
    frame, labels = sampler.frame_, sampler.frame_.labels
    names = getattr(sampler, "feature_names_in_", None)
    return {
        "format": FORMAT,
        "parameters": parameters,
        "sampling_strategy": list(sampler.sampling_strategy_.items()),
        "classes": sampler.classes_,
        "history": {**sampler.history_, "finetune": list(sampler.history_["finetune"].items())},
        "n_features_in": sampler.n_features_in_,
        "feature_names_in": names,
        "ranged": isinstance(labels, pd.RangeIndex),
        "labels": [] if isinstance(labels, pd.RangeIndex) else list(labels),
        "encoding": sampler.encoding_.to_json(),
        "handlers": [_entry(handler) for handler in frame.handlers],
        "translators": [
            {
                "label": label,
                "latent_dim": one.model.latent_dim,
                "hidden": one.model.hidden,
                "tied": one.model.tied,
            }
            for label, one in sampler.translators_.items()
        ],
    }


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
    fields = dict(vars(handler))
    if isinstance(handler, Levels) and handler.pooled:
        few = handler.values or (handler.missing,)
        fields |= {"pooled": few, "share": [1 / len(few)] * len(few)}
    return {**fields, "type": kind, "dtype": _dtype_entry(handler.dtype)}


def _handler(entry: Mapping[str, Any]) -> Handler:
    fields = {name: _tupled(value) for name, value in entry.items() if name not in ("type", "dtype")}
    make: Any = HANDLERS[entry["type"]]
    handler: Handler = make(dtype=_dtype(entry["dtype"]), **fields)
    return handler


def _dtype_entry(dtype: Any) -> Any:
    if isinstance(dtype, pd.CategoricalDtype):
        return {"categories": list(dtype.categories), "of": str(dtype.categories.dtype), "ordered": bool(dtype.ordered)}
    return str(dtype)


def _dtype(entry: Any) -> Any:
    if isinstance(entry, dict):
        return pd.CategoricalDtype(pd.Index(entry["categories"], dtype=entry["of"]), ordered=entry["ordered"])
    return pd.api.types.pandas_dtype(entry)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _jsonable(value: Any) -> Any:
    """Return numpy's numbers and arrays as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(type(value).__name__)
