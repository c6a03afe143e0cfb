"""Prefect's settings for a command at a terminal. Set before Prefect is imported, which reads them then."""

from __future__ import annotations

import os


def calm_prefect(*, debug: bool) -> None:
    """Keep Prefect's log lines off the terminal, and its usage statistics at home; what the environment says goes first."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if debug else "CRITICAL")
    if not debug:  # what Prefect says of a run that is stopped: events left to send, a server half started
        os.environ.setdefault("PREFECT_LOGGING_ROOT_LEVEL", "ERROR")
        os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are too few on a busy machine
