"""What the log of a run says of an error: the message, and a traceback only where the error is none of ours."""

from __future__ import annotations

import logging

import pytest
from prefect import State, flow, task
from prefect.client.schemas.objects import StateType
from prefect.flow_engine import run_flow

from flows.redaction import RUN_LOGGERS, TASK_LOGGER, redact_errors, unpickled
from flows.study.outcome import RunRefusedError
from mgvae.errors import ConfigError, MGVAEError


@pytest.fixture
def lines():
    """The lines of a run's log, as a worker writes them."""
    found = []

    class Handler(logging.Handler):
        def emit(self, record):
            found.extend(self.format(record).splitlines())

    loggers, handler = [logging.getLogger(name) for name in (*RUN_LOGGERS, TASK_LOGGER)], Handler()
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield found
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


@task(persist_result=False)
def stage(error):
    with redact_errors():
        raise error


def refused(_):
    message = "Status: fail. Champion: one. Report: runs/x/report.html"
    return State(type=StateType.FAILED, name="Refused", message=message, data=RunRefusedError(message, {}))


@pytest.mark.parametrize(
    ("body", "error", "last"),
    [
        (refused, None, "Finished in state Refused('Status: fail. Champion: one. Report: runs/x/report.html', type=FAILED)"),
        (stage, ConfigError("seed: must be 0 or more (got -1)."), "ConfigError: seed: must be 0 or more (got -1).')"),
        (stage, ValueError("patient-0417"), "Run again with --debug on this machine to see it.')"),
    ],
    ids=["refused", "error of ours", "defect"],
)
def test_the_log_of_a_run_that_ends_badly_ends_with_its_message(body, error, last, database, lines):
    @flow(persist_result=False)
    @unpickled
    def ours():
        return body(error)

    with pytest.raises(MGVAEError):
        run_flow(ours, error_logger=logging.getLogger("prefect.flow_runs"))  # as a worker's process does
    assert lines[-1].endswith(last)
    assert not [line for line in lines if "Traceback" in line or "patient-0417" in line]


def test_an_error_of_prefect_keeps_its_traceback(database, lines):
    @flow(persist_result=False)
    @unpickled
    def ours():
        raise OSError("the server is gone")

    with pytest.raises(OSError, match="the server is gone"):
        run_flow(ours, error_logger=logging.getLogger("prefect.flow_runs"))
    assert "OSError: the server is gone" in lines
