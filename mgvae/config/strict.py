"""Strict configuration models: unknown keys are errors, and errors are sentences."""

from __future__ import annotations

import inspect
import typing
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mgvae.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A frozen pydantic model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build(model: type[Model], values: object, *, source: str) -> Model:
    """Return ``model`` made from ``values``.

    Args:
        model: the pydantic model.
        values: a mapping, as read from YAML.
        source: the file or option the values came from, for the message.
    Raises:
        ConfigError: a key is unknown (the nearest known one is named), missing, or has a wrong value.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{source}: must be a mapping of keys to values; got {type(values).__name__}.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"  {_sentence(model, dict(item))}" for item in error.errors(include_url=False, include_context=False)]
        raise ConfigError(f"{source} is not usable:\n" + "\n".join(lines)) from None


def require_one_study(values: object, source: str) -> None:
    """Check that a configuration has no section `studies`, which `mgvae run` takes apart.

    Raises:
        ConfigError: it has one.
    """
    if isinstance(values, dict) and "studies" in values:
        stem = source.rpartition(".")[0]
        raise ConfigError(
            f"{source}: must be one study; it has the section studies. mgvae run takes them all; for one of them, give the "
            f"file that it writes: {stem}-NAME.yaml."
        )


def _sentence(model: type[BaseModel], item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"]) or "(top level)"
    if item["type"] == "extra_forbidden":
        known = _known_keys(model, item["loc"][:-1])
        hint = nearest(str(item["loc"][-1]), known)
        return f"{place}: unknown key.{hint}" + ("" if hint else f" Known keys: {', '.join(known)}.")
    if item["type"] == "missing":
        return f"{place}: this key is required; add it."
    message = item["msg"].removeprefix("Value error, ")
    got = item.get("input")
    if item["type"] == "bool_type":
        return f"{place}: must be true or false; got {got!r}. Write true or false, without quotes."
    input_text = f" (got {got!r})" if isinstance(got, str | int | float | bool) else ""
    return f"{place}: {message}{input_text}"


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    current: type[BaseModel] | None = model
    for part in path:
        field = current.model_fields.get(str(part)) if current is not None else None
        if field is not None:
            current = _model_in(field.annotation)
    return sorted(current.model_fields) if current is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None
