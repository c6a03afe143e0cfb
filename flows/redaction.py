"""Redact unexpected errors: their messages may quote patient data."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from mgvae.errors import MGVAEError
from mgvae.evaluation.parallel import AROSE

P = ParamSpec("P")
T = TypeVar("T")
RUN_LOGGERS = ("prefect.flow_runs", "prefect.engine")  # of a run's process
TASK_LOGGER = "prefect.task_runs"


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
    arose = getattr(error, AROSE, f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "")
    place = f" in {arose}" if arose else ""
    return (
        f"The program failed with {type(error).__name__}{place}. This is a defect; its message is suppressed, as it may "
        "quote patient data. Run again with --debug on this machine to see it."
    )


def unpickled(body: Callable[P, T]) -> Callable[P, T]:
    """Have a flow that raises end Failed without its exception being stored.

    What a flow raises is pickled into Prefect's storage, which nobody empties. A state that it returns is kept in this process
    alone; the caller of the flow gets the same exception from it. The message of the state is the last that the run's log
    says of it.
    """

    @wraps(body)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        _keep_tracebacks_out()
        try:
            return body(*args, **kwargs)
        except MGVAEError as error:
            from prefect.states import Failed

            return Failed(message=f"Flow run encountered an exception: {type(error).__name__}: {error}", data=error)

    return cast("Callable[P, T]", call)


def _keep_tracebacks_out() -> None:
    """Have Prefect log errors of ours without a traceback: their messages say what to do, and states hold them."""
    for name in RUN_LOGGERS:
        logging.getLogger(name).addFilter(_is_no_error_of_ours)
    logging.getLogger(TASK_LOGGER).addFilter(_without_our_traceback)


def _is_no_error_of_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], MGVAEError))


def _without_our_traceback(record: logging.LogRecord) -> bool:
    if not _is_no_error_of_ours(record):
        record.exc_info = record.exc_text = None
    return True
