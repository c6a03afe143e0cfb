"""Prefect's settings for a command at a terminal. Set before Prefect is imported, which reads them then."""

from __future__ import annotations

import os


def calm_prefect(*, debug: bool) -> None:
    """Keep Prefect's log lines off the terminal, and its usage statistics at home; what the environment says goes first."""
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "INFO" if debug else "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 are too few on a busy machine
