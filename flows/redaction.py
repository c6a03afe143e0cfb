"""Redact unexpected errors: their messages may quote patient data."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgvae.errors import MGVAEError


class DefectError(MGVAEError):
    """The program failed unexpectedly; the message holds type and location only."""


class OrchestrationError(MGVAEError):
    """Prefect could not start or carry the run; no stage is to blame."""


@contextmanager
def redact_errors() -> Iterator[None]:
    """Turn unexpected errors into `DefectError`, with the error itself as context."""
    try:
        yield
    except MGVAEError:
        raise
    except Exception as error:
        raise DefectError(redacted_message(error)) from None


def redacted_message(error: Exception) -> str:
    """Return the type and the location of an error, without its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return (
        f"The program failed with {type(error).__name__}{place}. This is a defect; its message is withheld, since it may quote "
        "patient data. Run again with --debug on this machine to see it."
    )
