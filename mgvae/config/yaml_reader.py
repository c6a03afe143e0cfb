"""Strict YAML 1.2: what looks like text is text, and each key is given once.

Only decimal numbers, ``true``, ``false`` and ``null`` are typed: ``no``, ``on``, ``010``, ``0o7``, ``1900-01-01`` and ``12:30``
are text, and so is every key. Anchors, aliases and merge keys (``<<``) work; tags do not, except ``!!str``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
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
    reader = _Reader()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            reader.take(event)
    except _RefusedError as refused:
        raise ConfigError(f"{source}, line {refused.line}: {refused}") from None
    except (YAMLError, ValueError, OverflowError) as error:  # the last two: an escape that is no character
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        raise ConfigError(
            f"{source}{place}: must be YAML; {getattr(error, 'problem', None) or 'it cannot be parsed'}."
        ) from None
    return reader.content


class _RefusedError(Exception):
    """YAML that is well formed and not accepted; its message says what must hold."""

    def __init__(self, event: Event, message: str) -> None:
        super().__init__(message)
        self.line = _line(event)


@dataclass
class _Collection:
    """A list or mapping whose end is not reached yet."""

    anchor: str | None
    content: list[Any] | dict[str, Any]
    size: int = 1  # how many values it holds, those of its values included
    key: Any = None  # of a mapping, the key whose value comes next; None where a key comes next
    lines: dict[Any, int] = field(default_factory=dict)  # of the keys
    merged: dict[str, Any] = field(default_factory=dict)  # what merge keys bring in


class _Reader:
    """Builds the content of a document from its events, without recursion."""

    def __init__(self) -> None:
        self.content: Any = None
        self.begun = False
        self.open: list[_Collection] = []
        self.anchored: dict[str, tuple[Any, int]] = {}

    def take(self, event: Event) -> None:
        """Add what an event brings."""
        if isinstance(event, DocumentStartEvent):
            if self.begun:
                raise _RefusedError(event, "must hold one YAML document; a second one begins. Remove it, or the line '---'.")
            self.begun = True
        elif isinstance(event, CollectionEndEvent):
            ended = self.open.pop()
            content = ended.merged | ended.content if isinstance(ended.content, dict) else ended.content
            self._add(event, content, ended.size, anchor=ended.anchor)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self.anchored:
                raise _RefusedError(event, "the name after '*' must be defined before it with '&'. Put text into quotes.")
            self._add(event, *self.anchored[event.anchor])
        elif isinstance(event, ScalarEvent):
            _check_tag(event, allowed=TEXT_TAGS)
            self._add(event, _typed(event), 1, anchor=event.anchor)
        elif isinstance(event, CollectionStartEvent):
            _check_tag(event)
            self._begin(event)

    def _begin(self, event: CollectionStartEvent) -> None:
        if len(self.open) == MOST_LEVELS:
            message = f"must be YAML of at most {MOST_LEVELS} levels; it is nested deeper. Look for brackets left open."
            raise _RefusedError(event, message)
        if self.open and self.open[-1].key is None and isinstance(self.open[-1].content, dict):
            raise _RefusedError(event, "a key must be text; it is a list or a mapping. Put text into quotes.")
        self.open.append(_Collection(event.anchor, {} if isinstance(event, MappingStartEvent) else []))

    def _add(self, event: Event, value: Any, size: int, *, anchor: str | None = None) -> None:
        """Put a complete value into the open collection, or make it the content."""
        if anchor is not None:
            self.anchored[anchor] = value, size
        if not self.open:
            self.content = value
            return
        place = self.open[-1]
        place.size += size
        if place.size > MOST_VALUES:
            raise _RefusedError(event, f"must hold at most {MOST_VALUES:,} values, those of aliases included. Use fewer.")
        if isinstance(place.content, list):
            place.content.append(value)
        elif place.key is None:
            _begin_pair(place, event)
        elif place.key is MERGE:
            _merge(place, event, value)
        else:
            place.content[place.key] = value
            place.key = None


def _check_tag(event: ScalarEvent | CollectionStartEvent, *, allowed: tuple[str, ...] = ()) -> None:
    if event.tag is not None and event.tag not in allowed:
        raise _RefusedError(event, "must be YAML without tags. Remove the word that begins with '!', or put it into quotes.")


def _begin_pair(place: _Collection, event: Event) -> None:
    if not isinstance(event, ScalarEvent):
        raise _RefusedError(event, "a key must be text; it is an alias. Write the text itself.")
    key = MERGE if event.value == "<<" and event.implicit[0] else str(event.value)
    if key in place.lines:
        first = place.lines[key]
        raise _RefusedError(
            event, f"each key must be given once; '{event.value}' is in line {first} too. Remove one of the two."
        )
    place.key, place.lines[key] = key, _line(event)


def _merge(place: _Collection, event: Event, value: Any) -> None:
    """Add what a merge key names; of several mappings the first has priority."""
    mappings = value if isinstance(value, list) else [value]
    if not all(isinstance(mapping, dict) for mapping in mappings):
        raise _RefusedError(event, "the key << must name a mapping, or a list of them. Put it into quotes if it is text.")
    for mapping in mappings:
        place.merged = mapping | place.merged
    place.key = None


def _typed(event: ScalarEvent) -> Any:
    text = str(event.value)
    if SURROGATE.search(text):
        raise _RefusedError(event, "an escape such as \\ud83d is half a character. Write the character itself.")
    if not event.implicit[0]:  # in quotes, or tagged as text
        return text
    return next((convert(text) for pattern, convert in TYPES if pattern.fullmatch(text)), text)


def _finite(text: str) -> float | str:
    """Return a number; text where it is too large for one."""
    number = float(text)
    return number if math.isfinite(number) else text


def _line(event: Event) -> int:
    return int(event.start_mark.line) + 1
