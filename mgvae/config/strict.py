"""Strict configuration models: unknown keys are refused with the nearest known one, and errors read like sentences."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from mgvae.errors import ConfigError, nearest

Model = TypeVar("Model", bound=BaseModel)


class Strict(BaseModel):
    """A frozen pydantic model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def build(model: type[Model], values: object, *, where: str) -> Model:
    """Return ``model`` made from ``values``.

    Args:
        model: the pydantic model.
        values: a mapping, as read from YAML.
        where: the file or option the values came from, for the message.
    Raises:
        ConfigError: a key is unknown (the nearest known one is named), missing, or has a wrong value.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: must be a mapping of keys to values; got {type(values).__name__}.")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [f"  {_sentence(model, dict(item))}" for item in error.errors(include_url=False, include_context=False)]
        raise ConfigError(f"{where} is not usable:\n" + "\n".join(lines)) from None


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file, read with the safe loader.

    Raises:
        ConfigError: the file is missing, not UTF-8 or not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Give the path of an existing file.") from None
    except (IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"{path}: must be a readable file; {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: must be UTF-8 text. Save it as UTF-8.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(f"{path}{place}: must be YAML; {getattr(error, 'problem', None) or 'it cannot be parsed'}.") from None


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
    shown = f" (got {got!r})" if isinstance(got, str | int | float | bool) else ""
    return f"{place}: {message}{shown}"


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
