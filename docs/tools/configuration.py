"""The configuration reference: every key of cohort.yaml and dictionary.yaml, from the pydantic models."""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mgvae.config import drift, gates, predicate, sections, source, stability, visits
from mgvae.config.card import Card
from mgvae.config.dictionary import Column, Level
from mgvae.config.privacy import Privacy
from mgvae.config.rules import Rule
from mgvae.config.study import CohortConfig

NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", types.NoneType: "null"}
BOUNDS = (
    (annotated_types.Ge, "ge", "≥"),
    (annotated_types.Gt, "gt", ">"),
    (annotated_types.Le, "le", "≤"),
    (annotated_types.Lt, "lt", "<"),
)


def models() -> dict[str, type[BaseModel]]:
    """Return each documented part by its heading: the top level, its sections, an entry of the dictionary."""
    parts = {
        f"cohort.yaml: {name}": field.annotation
        for name, field in CohortConfig.model_fields.items()
        if isinstance(field.annotation, type)
        and field.annotation.__module__ in (sections.__name__, drift.__name__, stability.__name__, gates.__name__)
    }
    dictionary = {"dictionary.yaml: an entry of columns": Column, "dictionary.yaml: an entry of rules": Rule}
    parts["cohort.yaml: privacy"] = Privacy
    parts["cohort.yaml: card"] = Card
    tables = {
        f"cohort.yaml: source{'.' if name else ''}{name}": model
        for name, model in {
            "": source.Source,
            "predicates": predicate.Predicate,
            "predicates.code": predicate.CodePattern,
            "index": source.Index,
            "index.without": source.Without,
            "observation": source.Observation,
            "outcome": source.OutcomeWindow,
            "prior_outcome": source.PriorOutcome,
            "follow_up": source.FollowUp,
            "predictors": source.Predictors,
            "predictors.hierarchy": source.Hierarchy,
        }.items()
    }
    tables["cohort.yaml: visits"] = visits.Visits
    return {"cohort.yaml: top level": CohortConfig, **parts, **tables, **dictionary}


def reference() -> str:
    """Return the tables of all keys as Markdown."""
    return "\n\n".join(f"## {heading}\n\n{_summary(model)}\n\n{table(model)}" for heading, model in models().items())


def table(model: type[BaseModel]) -> str:
    """Return one row a key: name, values, default, meaning.

    Raises:
        ValueError: a key is not described under "Attributes" in the docstring of its model.
    """
    meanings = attributes(model.__doc__ or "")
    rows = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = field.description or meanings.get(name)
        if not meaning:
            raise ValueError(
                f"{model.__name__} must describe '{name}' under 'Attributes' in its docstring; got nothing. Add it."
            )
        cells = (f"`{name}`", values(field), default(name, field), meaning)
        rows.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(rows)


def attributes(docstring: str) -> dict[str, str]:
    """Return the meaning of each name in the "Attributes" part of a Google-style docstring."""
    _, _, block = docstring.partition("Attributes:\n")
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n(?= {8}\w)", "\n" + block.rstrip()):
        names, colon, meaning = entry.strip().partition(": ")
        if colon:
            text = re.sub(r"\s+", " ", meaning).replace("``", "`")
            meanings |= dict.fromkeys(re.split(r",\s*", names), text)
    return meanings


def values(field: FieldInfo) -> str:
    """Return what a key may hold, in words."""
    text = words(field.annotation)
    bounds = [
        f"{sign} {getattr(item, name)}" for item in field.metadata for kind, name, sign in BOUNDS if isinstance(item, kind)
    ]
    return ", ".join([text, *bounds])


def words(annotation: Any) -> str:
    """Return a type in words, such as "whole number or `auto`"."""
    if annotation == Level:
        return "text, number or boolean"
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return words(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(words(each) for each in inner)
    if origin is tuple:
        return f"list of ({words(inner[0])})" if inner[-1] is Ellipsis else f"[{', '.join(map(words, inner))}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"map from {words(inner[0])} to {words(inner[1])}"
    return NAMES.get(annotation, "section")


def default(name: str, field: FieldInfo) -> str:
    """Return the default of a key as YAML, a link to its section, or "required"."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return f"[{name}](#cohortyaml-{name})"
    return f"`{json.dumps(value)}`"


def _summary(model: type[BaseModel]) -> str:
    text = (model.__doc__ or "").partition("Attributes:")[0]
    return re.sub(r"\n[ ]+", "\n", text.strip()).replace("``", "`")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
