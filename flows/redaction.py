"""Errors that nobody foresaw: what they say may quote a cell of the table, so it is withheld, and where they arose is told."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgvae.errors import MGVAEError


class DefectError(MGVAEError):
    """The program failed for a reason that it does not name itself. The message holds no value of any patient."""


class OrchestrationError(MGVAEError):
    """Prefect could not start or carry the run; no stage is to blame."""


@contextmanager
def withheld() -> Iterator[None]:
    """Let errors of ours pass; any other becomes a `DefectError`, which keeps it as context for a debugger."""
    try:
        yield
    except MGVAEError:
        raise
    except Exception as error:
        raise DefectError(described(error)) from None


def described(error: Exception) -> str:
    """Return the kind and the place of an error, and nothing of its message."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return (
        f"The program failed with {type(error).__name__}{place}. This is a defect; its message is withheld, since it may quote "
        "patient data. Run again with --debug on this machine to see it."
    )
