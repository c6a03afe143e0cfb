"""Predicates: which events of a record are meant."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator, model_validator

from mgvae.config.strict import Strict

Domain = Literal["condition", "drug", "procedure", "measurement", "observation", "device", "visit", "death", "event"]
EXPRESSION = re.compile(r"\s*(and|or)\s*\(\s*([^()]+?)\s*\)\s*")


class CodePattern(Strict):
    """Several codes at once.

    Attributes:
        regex: a regular expression that the code contains (``^`` and ``$`` bind it to the ends).
        any: a list of codes.
        file: a text file of codes, one a line, relative to cohort.yaml; ``#`` begins a comment.
    """

    regex: str | None = None
    any: tuple[str, ...] | None = None
    file: str | None = None

    @field_validator("any", mode="before")
    @classmethod
    def _codes_are_text(cls, value: object) -> object:
        return tuple(map(str, value)) if isinstance(value, list | tuple) else value

    @field_validator("regex")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"must be a regular expression; {error}") from None
        return value

    @model_validator(mode="after")
    def _one_way(self) -> CodePattern:
        if sum(way is not None for way in (self.regex, self.any, self.file)) != 1:
            raise ValueError("give one of regex, any, file")
        return self


class Predicate(Strict):
    """Which events are meant, in the words of ACES (Xu et al. 2024, arXiv 2406.19653).

    All that is given must hold. ``expr`` joins other predicates instead.

    Attributes:
        code: the event's code (in OMOP its concept's number), or a pattern.
        source_code: the code of the source system (OMOP's ``*_source_value``), or a pattern.
        concepts: OMOP concept numbers; with ``descendants``, all below them in ``concept_ancestor`` too.
        descendants: see ``concepts``.
        domain: the table of OMOP that the event comes from.
        value_min, value_max: bounds of the numeric value.
        value_min_inclusive, value_max_inclusive: whether the bound itself counts.
        expr: ``or(a, b)`` any of the predicates; ``and(a, b)`` all of them at one time.
    """

    code: str | CodePattern | None = None
    source_code: str | CodePattern | None = None
    concepts: tuple[int, ...] = ()
    descendants: bool = False
    domain: Domain | None = None
    value_min: float | None = None
    value_max: float | None = None
    value_min_inclusive: bool = True
    value_max_inclusive: bool = True
    expr: str | None = None

    @field_validator("code", "source_code", mode="before")
    @classmethod
    def _code_is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @model_validator(mode="after")
    def _says_something(self) -> Predicate:
        own = [self.code, self.source_code, self.concepts or None, self.domain, self.value_min, self.value_max]
        given = sum(value is not None for value in own)
        if self.expr is not None:
            if given:
                raise ValueError("expr joins other predicates and stands alone; give the rest a predicate of its own")
            if not EXPRESSION.fullmatch(self.expr):
                raise ValueError("expr must read or(a, b) or and(a, b); name longer expressions in steps")
        elif not given:
            raise ValueError(
                "must say which events are meant: code, source_code, concepts, domain, value_min, value_max or expr"
            )
        if self.descendants and not self.concepts:
            raise ValueError("descendants needs concepts")
        return self

    @property
    def joined(self) -> tuple[str, tuple[str, ...]] | None:
        """How ``expr`` joins which predicates; None without it."""
        match = EXPRESSION.fullmatch(self.expr or "")
        return None if match is None else (match[1], tuple(part.strip() for part in match[2].split(",")))
