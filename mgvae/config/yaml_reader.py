"""Strict YAML 1.2: what looks like text is text, and each key is given once.

Only decimal numbers, ``true``, ``false`` and ``null`` are typed: ``no``, ``on``, ``010``, ``0o7``, ``1900-01-01`` and ``12:30``
are text, and so is every key. Anchors, aliases and merge keys (``<<``) work; tags do not, except ``!!str``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from mgvae.errors import ConfigError, reason_of

MOST_LEVELS = 50
MOST_VALUES = 1_000_000  # aliases that name aliases would double without end
TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
SURROGATE = re.compile("[\ud800-\udfff]")
MERGE = object()  # stands for the key << where it is not in quotes
TYPES: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"~|null|Null|NULL|"), lambda _: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text.lower() == "true"),
    (re.compile(r"[-+]?(0|[1-9][0-9]{0,4000})"), int),  # Python reads no whole number that is longer
    (re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), lambda text: _finite(text)),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file; see `parse_yaml`.

    Raises:
        ConfigError: the file is missing, not UTF-8 or not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Give the path of an existing file.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: must be UTF-8 text. Save it as UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path}: must be a readable file; {reason_of(error)}.") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, *, source: str) -> Any:
    """Return a document's dicts (keys are text), lists, text, numbers, booleans, None.

    Args:
        text: the document; empty text is None.
        source: the file or option it came from, for messages.
    Raises:
        ConfigError: it is not YAML, has a key twice, a tag, a second document, or more levels or values than anybody writes.
    """
    try:
        return _Reader(YAML(typ="safe", pure=True).parse(text), source).document()
    except (YAMLError, ValueError, OverflowError, RecursionError) as error:  # the second two: an escape that is no character
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(
            f"{source}{place}: must be YAML; {getattr(error, 'problem', None) or 'it cannot be parsed'}."
        ) from None


class _Reader:
    """Builds the content of a document from its events."""

    def __init__(self, events: Iterator[Event], source: str) -> None:
        self.events = events
        self.source = source
        self.size = 0  # how many values were read, those of aliases included
        self.anchored: dict[str, tuple[Any, int]] = {}

    def document(self) -> Any:
        content, begun = None, False
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                if begun:
                    raise self._refused(
                        event, "must hold one YAML document; a second one begins. Remove it, or the line '---'."
                    )
                begun = True
            elif isinstance(event, NodeEvent):
                content = self._value(event, 0)
        return content

    def _value(self, event: Any, level: int) -> Any:
        """Return the scalar, list or mapping that begins with an event."""
        if isinstance(event, AliasEvent):
            if event.anchor not in self.anchored:
                raise self._refused(event, "the name after '*' must be defined before it with '&'. Put text into quotes.")
            content, size = self.anchored[event.anchor]
            self._count(event, size)
            return content
        if event.tag is not None and not (isinstance(event, ScalarEvent) and event.tag in TEXT_TAGS):
            raise self._refused(
                event, "must be YAML without tags. Remove the word that begins with '!', or put it into quotes."
            )
        before = self.size
        self._count(event, 1)
        content = self._typed(event) if isinstance(event, ScalarEvent) else self._collection(event, level + 1)
        if event.anchor is not None:
            self.anchored[event.anchor] = content, self.size - before
        return content

    def _count(self, event: Event, size: int) -> None:
        self.size += size
        if self.size > MOST_VALUES:
            raise self._refused(event, f"must hold at most {MOST_VALUES:,} values, those of aliases included. Use fewer.")

    def _collection(self, event: Event, level: int) -> list[Any] | dict[str, Any]:
        if level > MOST_LEVELS:
            message = f"must be YAML of at most {MOST_LEVELS} levels; it is nested deeper. Look for brackets left open."
            raise self._refused(event, message)
        items = takewhile(lambda event: not isinstance(event, CollectionEndEvent), self.events)
        if not isinstance(event, MappingStartEvent):
            return [self._value(item, level) for item in items]
        content: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        lines: dict[Any, int] = {}
        for item in items:
            key = self._key(item, lines)
            value = self._value(next(self.events), level)
            if key is MERGE:
                merged = self._merged(item, value)
            else:
                content[key] = value
        return merged | content

    def _key(self, event: Event, lines: dict[Any, int]) -> Any:
        """Return a key after noting its line."""
        if not isinstance(event, ScalarEvent):
            found = (
                "an alias. Write the text itself."
                if isinstance(event, AliasEvent)
                else "a list or a mapping. Put text into quotes."
            )
            raise self._refused(event, f"a key must be text; it is {found}")
        self._value(event, 0)
        key = MERGE if event.value == "<<" and event.implicit[0] else str(event.value)
        if key in lines:
            raise self._refused(
                event, f"each key must be given once; '{event.value}' is in line {lines[key]} too. Remove one of the two."
            )
        lines[key] = event.start_mark.line + 1
        return key

    def _merged(self, event: Event, value: Any) -> dict[str, Any]:
        """Return what a merge key brings in; of several mappings the first has priority."""
        mappings = value if isinstance(value, list) else [value]
        if not all(isinstance(mapping, dict) for mapping in mappings):
            raise self._refused(event, "the key << must name a mapping, or a list of them. Put it into quotes if it is text.")
        return {key: value for mapping in reversed(mappings) for key, value in mapping.items()}

    def _typed(self, event: ScalarEvent) -> Any:
        text = str(event.value)
        if SURROGATE.search(text):
            raise self._refused(event, "an escape such as \\ud83d is half a character. Write the character itself.")
        if not event.implicit[0]:  # in quotes, or tagged as text
            return text
        return next((convert(text) for pattern, convert in TYPES if pattern.fullmatch(text)), text)

    def _refused(self, event: Event, message: str) -> ConfigError:
        return ConfigError(f"{self.source}, line {event.start_mark.line + 1}: {message}")


def _finite(text: str) -> float | str:
    """Return a number; text where it is too large for one."""
    number = float(text)
    return number if math.isfinite(number) else text
