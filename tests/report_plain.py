"""What is made of a report, from the content of report.json as plain values."""

from __future__ import annotations

from typing import Any

from mgvae.report.schema import read_report

Content = dict[str, Any]
_DRAWN: dict[str, str] = {}


def render(content: Content) -> str:
    """Return the page."""
    from mgvae.report.render import render

    return render(read_report(content))


def drawn_page(content: Content) -> str:
    """Return the page with its figures; drawn once for all tests that ask for the same content."""
    text = repr(content)
    if text not in _DRAWN:
        _DRAWN[text] = render(content)
    return _DRAWN[text]


def without_figures_of_models(content: Content) -> Content:
    """Return the content without subgroups, explanations and stability: their figures take half of a page's time."""
    return content | dict.fromkeys(("subgroups", "explanations", "instability", "learning_curve"))


def show(content: Content, console: Any) -> None:
    """Print the report to a console."""
    from flows.commands.show import show

    show(read_report(content), console)
