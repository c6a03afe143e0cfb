"""The server's log: that a database is locked is a line, and no traceback."""

from __future__ import annotations

import copy
import logging
import traceback

from prefect.logging.handlers import PrefectConsoleHandler

LOCKED = "database is locked"
ADVICE = (
    f"The {LOCKED}: SQLite lets one process write at a time, and who read before it wrote has to begin again. Client or "
    "service does so; where this line is frequent, use Postgres (PREFECT_SERVER_DATABASE_CONNECTION_URL)."
)


class ServerConsole(PrefectConsoleHandler):
    """Prefect's handler, which writes a locked database in one line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        super().emit(in_one_line(record))


def in_one_line(record: logging.LogRecord) -> logging.LogRecord:
    """Return a record without its traceback if that tells of a locked database.

    Prefect opens SQLite with a write-ahead log and waits a minute for a lock. No setting makes it reserve the database before
    it reads, so a transaction that others overtake is refused at once.
    """
    if not record.exc_info or LOCKED not in "".join(traceback.format_exception(record.exc_info[1])):
        return record
    line = copy.copy(record)
    line.msg, line.args = f"{record.getMessage().rstrip('.')}. {ADVICE}", ()
    line.levelno, line.levelname = logging.WARNING, "WARNING"
    line.exc_info = line.exc_text = None
    return line
