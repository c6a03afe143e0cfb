"""The exception tree: every error that the product raises on purpose.

    MGVAEError
    ├── ConfigError          cohort.yaml, the data dictionary or a --set option is wrong
    ├── DataError            the extract cannot be used
    │   ├── ExtractError     the file is missing, empty, cut off, not UTF-8, has the wrong delimiter
    │   └── OutcomeError     the outcome is absent, has one class only, or too few events
    ├── ShapeError           tensors or tables that must agree do not
    ├── TableError           a table given to the sampler holds what it cannot learn
    ├── TrainingError        the objective diverged, or there is nothing to train on
    ├── CheckpointError      a checkpoint cannot be read by this version
    └── StoreError           the artifact store cannot be read or written
        ├── MissingArtifactError  an artifact is not in the store
        └── DamagedArtifactError  an artifact's bytes do not match its digest

Each message says what must hold, what was got and what to do. It carries column names and counts, never a patient's value.
"""

from __future__ import annotations

import difflib
import typing


class MGVAEError(Exception):
    """Base of all errors raised on purpose; the command line prints no traceback."""


class ConfigError(MGVAEError):
    """The configuration is wrong."""


class DataError(MGVAEError):
    """The data cannot be used."""


class ExtractError(DataError):
    """The extract cannot be read."""


class OutcomeError(DataError):
    """The outcome cannot be learned from."""


class ShapeError(MGVAEError, ValueError):
    """Two things that must agree in shape do not."""


class TableError(MGVAEError, ValueError):
    """A table given to the sampler holds what it cannot learn."""


class SamplerWarning(UserWarning):
    """The sampler can go on, but its user should know something."""


class TrainingError(MGVAEError):
    """Training cannot start or cannot go on."""


class CheckpointError(MGVAEError):
    """A checkpoint cannot be read."""


class StoreError(MGVAEError):
    """The artifact store cannot be read or written."""


class MissingArtifactError(StoreError):
    """An artifact is not in the store."""


class DamagedArtifactError(StoreError):
    """An artifact's bytes do not match its digest."""


def reason_of(error: OSError) -> str:
    """Return why the operating system refused: its message, else the error's type."""
    return error.strerror or type(error).__name__


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known word, else empty text."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{match[0]}'?" if match else ""


def first_few(items: typing.Sequence[str], *, separator: str = ", ", most: int = 5) -> str:
    """Join the first ``most`` items, and say how many more there are."""
    text, more = separator.join(items[:most]), len(items) - most
    return f"{text}{separator.strip(' ,')} and {more} more" if more > 0 else text
