"""The commands `mgvae cache ls`, `rm` and `gc`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flows.commands.options import OUT, RUNS, Debug, StoreOption, allowed_store
from mgvae.store.open import AnyStore

if TYPE_CHECKING:
    from flows.runs.cleanup import Freed


app = typer.Typer(name="cache", help="The artifacts that runs reuse: list them, remove some, clean up.", no_args_is_help=True)

Dry = Annotated[bool, typer.Option("--dry-run", help="Remove nothing; say what would go.")]

LISTED_RUNS = 3
KEY_DIGITS = 12


@app.command()
def ls(out: OUT = RUNS, store: StoreOption = None, debug: Debug = False) -> None:
    """List the artifacts: stage, key, size, rows, last use, and runs that use them."""
    from flows.runs.cleanup import listing

    kept = allowed_store(out, store)
    rows, unreadable = listing(kept, out)
    table = Table("Stage", "Key", "Size", "Rows", "Last used", "Used by")
    for row in rows:
        entry = row.entry
        more = f" and {len(row.runs) - LISTED_RUNS} more" if len(row.runs) > LISTED_RUNS else ""
        table.add_row(
            escape(entry.kind) or "(half written or damaged)",
            entry.sha256[:KEY_DIGITS],
            format_size(entry.size),
            "" if row.rows is None else f"{row.rows:,}",
            format_age(time.time() - entry.used_at),
            escape(", ".join(row.runs[:LISTED_RUNS]) + more) or "no run",
        )
    if rows:
        Console().print(table)
    typer.echo(f"{len(rows)} artifacts, {format_size(sum(row.entry.size for row in rows))}, in {kept.label}.")
    for folder in unreadable:
        typer.echo(f"{folder}: its manifest is damaged. Run the study again.")


@app.command()
def rm(
    key: Annotated[
        str | None, typer.Argument(metavar="KEY", help="First digits of an artifact's key, from mgvae cache ls.")
    ] = None,
    study: Annotated[str | None, typer.Option(help="All artifacts that only runs of this study use.")] = None,
    stage: Annotated[str | None, typer.Option(metavar="NAME", help="All artifacts of this stage.")] = None,
    out: OUT = RUNS,
    store: StoreOption = None,
    dry: Dry = False,
    debug: Debug = False,
) -> None:
    """Remove artifacts. Run folders stay; the next run makes anew what it needs."""
    from flows.runs.cleanup import remove

    kept = allowed_store(out, store)
    freed = remove(kept, out, key=key, study=study, stage=stage, dry=dry)
    _print_freed(freed, kept, dry=dry)


@app.command()
def gc(
    keep_last: Annotated[int, typer.Option(min=1, metavar="N", help="Runs of every study whose artifacts stay.")],
    safe_hours: Annotated[
        float, typer.Option(min=0, metavar="H", help="What was used within H hours stays: a run may be at work with it.")
    ] = 24,
    out: OUT = RUNS,
    store: StoreOption = None,
    dry: Dry = False,
    debug: Debug = False,
) -> None:
    """Remove what the last N runs of a study do not use, and killed runs' leftovers."""
    from flows.runs.cleanup import collect

    kept = allowed_store(out, store)
    freed = collect(kept, out, keep_last=keep_last, safe_hours=safe_hours, dry=dry)
    _print_freed(freed, kept, dry=dry)


def format_size(size: float) -> str:
    """Return bytes in a unit that people read."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def format_age(seconds: float) -> str:
    """Return how long ago something was."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"


def _print_freed(freed: Freed, store: AnyStore, *, dry: bool) -> None:
    for entry in freed.entries:
        typer.echo(f"{entry.kind or '(half written or damaged)'} {entry.sha256[:KEY_DIGITS]}, {format_size(entry.size)}")
    for note in freed.kept:
        typer.echo(note)
    verb = "Would free" if dry else "Freed"
    left = f", {freed.leftovers:,} of them half-written files and copies" if freed.leftovers else ""
    typer.echo(f"{verb} {freed.size:,} bytes in {store.label}: {len(freed.entries)} artifacts{left}.")
