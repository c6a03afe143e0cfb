"""Designs as plain JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from mgvae.classifiers.design import Levels, LinearDesign, TreeDesign
from mgvae.classifiers.scored_design import ScoredDesign


def as_json(value: Any) -> Any:
    """Return a design, or a part of it, as plain JSON: its fields, lists and numbers."""
    if isinstance(value, Levels):
        return value.kept.tolist()
    if isinstance(value, LinearDesign | ScoredDesign | TreeDesign):
        return as_json({field.name: getattr(value, field.name) for field in fields(value)})
    if isinstance(value, Mapping):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, tuple):
        return [as_json(part) for part in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def linear_design(content: Mapping[str, Any]) -> LinearDesign:
    """Return the design in `as_json`'s result; a wrong key raises as in Python."""
    places = {str(name): np.array(place, dtype=np.int64) for name, place in content["places"].items()}
    medians, scales = (np.array(content[key], dtype=np.float64) for key in ("medians", "scales"))
    return LinearDesign(medians, scales, np.array(content["indicated"], dtype=np.int64), _levels(content), places)


def scored_design(content: Mapping[str, Any]) -> ScoredDesign:
    """Return the design in `as_json`'s result; a wrong key raises as in Python."""
    edges, scores = (tuple(np.array(one, dtype=np.float64) for one in content[key]) for key in ("edges", "scores"))
    curved = np.array(content.get("curved", []), dtype=np.int64)  # designs of earlier versions have none
    return ScoredDesign(linear_design(content["base"]), edges, scores, curved)


def tree_design(content: Mapping[str, Any]) -> TreeDesign:
    """Return the design in `as_json`'s result; a wrong key raises as in Python."""
    edges = tuple(np.array(one, dtype=np.float64) for one in content["edges"])
    return TreeDesign(edges, _levels(content), tuple(content["nominal"]), tuple(content["empty"]))


def _levels(content: Mapping[str, Any]) -> dict[str, Levels]:
    return {str(name): Levels(np.array(kept, dtype=np.int64)) for name, kept in content["levels"].items()}
