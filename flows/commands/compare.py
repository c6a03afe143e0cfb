"""What `mgvae report compare` prints."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Printed

from mgvae.report.comparison import SideBySide

MOST = 30  # changed rows on the terminal; the page has all


def print_comparison(found: SideBySide, console: Console) -> None:
    """Print runs side by side."""
    for table in found.tables:
        console.print(f"[bold]{table.caption}[/]")
        if not table.rows:
            console.print("None.\n")
            continue
        printed = Printed(*map(escape, table.head))
        for row in table.rows[:MOST]:
            printed.add_row(*map(escape, row))
        console.print(printed)
        if len(table.rows) > MOST:
            console.print(f"{len(table.rows) - MOST} more; --out FILE.html writes all.")
        console.print()
    for remark in found.remarks:
        console.print(escape(remark))
