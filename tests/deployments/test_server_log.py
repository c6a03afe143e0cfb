"""A locked database is a line of the server's log; every other error keeps its traceback."""

from __future__ import annotations

import logging
import logging.config
import sqlite3
import sys

import pytest

from deployments.local import MORE
from deployments.server_log import in_one_line


def record(error):
    try:
        raise error
    except type(error):
        return logging.LogRecord(
            "prefect.server", logging.ERROR, __file__, 1, "Heartbeat of %s failed.", ("cpu",), sys.exc_info()
        )


@pytest.mark.parametrize(
    "error",
    [sqlite3.OperationalError("database is locked"), ExceptionGroup("x", [sqlite3.OperationalError("database is locked")])],
    ids=["alone", "in a group"],
)
def test_a_locked_database_is_one_line(error):
    line = logging.Formatter("%(levelname)s %(message)s").format(in_one_line(record(error)))
    assert line.startswith("WARNING Heartbeat of cpu failed. The database is locked")
    assert "use Postgres" in line
    assert "\n" not in line


def test_another_error_is_left_as_it_is():
    other = record(sqlite3.OperationalError("no such table: flow"))
    assert in_one_line(other) is other


def test_prefect_takes_the_handler(monkeypatch):
    from prefect.logging.configuration import DEFAULT_LOGGING_SETTINGS_PATH, load_logging_config

    for name, value in MORE["server"].items():
        monkeypatch.setenv(name, value)
    load_logging_config.cache_clear() if hasattr(load_logging_config, "cache_clear") else None
    found = load_logging_config(DEFAULT_LOGGING_SETTINGS_PATH)["handlers"]["console"]["class"]
    module, _, name = found.rpartition(".")
    assert found == "deployments.server_log.ServerConsole"
    assert hasattr(sys.modules[module], name)
