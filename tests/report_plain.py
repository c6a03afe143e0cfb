"""What is made of a report, from the content of report.json as plain values."""

from __future__ import annotations

from typing import Any

from mgvae.report.schema import read_report

Content = dict[str, Any]


def render(content: Content) -> str:
    """Return the page."""
    from mgvae.report.render import render

    return render(read_report(content))


def show(content: Content, console: Any) -> None:
    """Print the report to a console."""
    from flows.commands.show import show

    show(read_report(content), console)
