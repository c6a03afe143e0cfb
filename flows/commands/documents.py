"""The documents that `mgvae report --export` writes, and the report as PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

from flows.runs.bundle import bundle
from flows.runs.folder import config_of, manifest_of
from mgvae.errors import ConfigError, StoreError, nearest, reason_of
from mgvae.files import scratch_folder
from mgvae.report.checklist import probast, tripod
from mgvae.report.exports.chai import chai_card
from mgvae.report.exports.guidelines import as_csv, as_markdown
from mgvae.report.exports.hti1 import hti1
from mgvae.report.exports.methods import methods
from mgvae.report.schema import Report

Document = Literal["chai", "hti1", "tripod", "probast", "methods", "bundle"]
MEANS: dict[Document, str] = {
    "tripod": "TRIPOD+AI, all 52 sub-items: tripod_ai.md, .csv",
    "probast": "PROBAST+AI by domain: probast_ai.md, .csv",
    "methods": "methods paragraph with its references: methods.md, references.bib",
    "chai": "CHAI applied model card v0.2: chai_model_card.xml",
    "hti1": "31 source attributes of HTI-1: hti1_source_attributes.md",
    "bundle": "what repeats the run, without patient data: reproduction.zip",
}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PDF_TIMEOUT = 180  # seconds
# the browser's own footer would show the path of the file
NUMBERED = "@bottom-right { content: counter(page) ' / ' counter(pages); font: 9px sans-serif; }"
Paper = Literal["a4", "letter"]


def asked_documents(words: Sequence[str]) -> tuple[Document, ...]:
    """Return the documents that a list of names asks for; ``all`` is each of them.

    Raises:
        ConfigError: there is no such document.
    """
    names = [name.strip().lower() for word in words for name in word.split(",")]
    known = (*MEANS, "all")
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None:
        raise ConfigError(f"--export {wrong}: must be one of {', '.join(known)}.{nearest(wrong, known)}")
    return tuple(name for name in MEANS if name in names or "all" in names)


def export_documents(run: Path, report: Report, asked: Sequence[Document], out: Path, *, force: bool) -> list[Path]:
    """Write documents of a run into a folder and return their paths; all of them, or none.

    Args:
        run: the run folder.
        report: of the run.
        asked: which documents.
        out: the folder; made where it is missing.
        force: whether files that are there are replaced.
    Raises:
        ConfigError: a file is there already, or the folder is a file.
        StoreError: the folder cannot be written, or the run is damaged.
    """
    made = {name: content for document in asked for name, content in _WRITERS[document](run, report).items()}
    there = next((out / name for name in made if (out / name).exists()), None)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out}: must be a folder; it is a file.")
    if there is not None and not force:
        raise ConfigError(f"{there}: must not exist yet. Choose another folder, or replace it with --force.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in made.items():
            (out / name).write_bytes(content)
    except OSError as error:
        raise StoreError(f"{out}: must be writable with space left; {reason_of(error)}.") from None
    return [out / name for name in made]


def _tripod(run: Path, report: Report) -> dict[str, bytes]:
    items, source = tripod(report), "Collins et al., BMJ 2024;385:e078378 (CC BY 4.0), shortened"
    page = as_markdown(items, report, title="TRIPOD+AI", source=source)
    return {"tripod_ai.md": page.encode(), "tripod_ai.csv": as_csv(items).encode()}


def _probast(run: Path, report: Report) -> dict[str, bytes]:
    items, source = probast(report), "Moons et al., BMJ 2025, doi 10.1136/bmj-2024-082505, in our words"
    page = as_markdown(items, report, title="PROBAST+AI", source=source)
    return {"probast_ai.md": page.encode(), "probast_ai.csv": as_csv(items).encode()}


def _methods(run: Path, report: Report) -> dict[str, bytes]:
    made = methods(report, config_of(run, manifest_of(run)))
    return {"methods.md": made.text.encode(), "references.bib": made.bibliography.encode()}


def _chai(run: Path, report: Report) -> dict[str, bytes]:
    bibliography = methods(report, config_of(run, manifest_of(run))).bibliography
    return {"chai_model_card.xml": chai_card(report, bibliography).encode()}


def _hti1(run: Path, report: Report) -> dict[str, bytes]:
    return {"hti1_source_attributes.md": hti1(report).encode()}


def _bundle(run: Path, report: Report) -> dict[str, bytes]:
    return {"reproduction.zip": bundle(run, manifest_of(run), report)}


_WRITERS: dict[Document, Callable[[Path, Report], dict[str, bytes]]] = {
    "tripod": _tripod,
    "probast": _probast,
    "methods": _methods,
    "chai": _chai,
    "hti1": _hti1,
    "bundle": _bundle,
}


def paper_of(name: str) -> Paper:
    """Return the size of paper that a name stands for.

    Raises:
        ConfigError: there is no such size.
    """
    for paper in get_args(Paper):
        if name.lower() == paper:
            return cast("Paper", paper)
    raise ConfigError(f"--paper {name}: must be {' or '.join(get_args(Paper))}.")


def print_page(page: Path, out: Path, paper: Paper = "a4") -> None:
    """Print a page as PDF with page numbers, by a headless Chromium on PATH.

    Args:
        page: an HTML file that loads nothing.
        out: the file to write, in a folder that exists.
        paper: its size.
    Raises:
        ConfigError: there is no browser.
        StoreError: it wrote nothing.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ConfigError(
            "--pdf needs a Chromium or Chrome on PATH; none was found. Install one (Debian: apt install chromium), or open "
            "report.html and print it."
        )
    with scratch_folder(out.parent) as place, tempfile.TemporaryDirectory() as profile:
        made, sized = place / "report.pdf", place / "report.html"
        flags = ("--headless", "--disable-gpu", "--disable-extensions", "--no-pdf-header-footer")
        sandbox = ("--no-sandbox",) if _is_root() else ()  # Chromium refuses a sandbox to root
        words = [browser, *flags, *sandbox, f"--user-data-dir={profile}", f"--print-to-pdf={made}", sized.resolve().as_uri()]
        try:
            size = f"<style>@page {{ size: {paper}; {NUMBERED} }}</style></head>"
            sized.write_text(page.read_text(encoding="utf-8").replace("</head>", size, 1), encoding="utf-8")
            subprocess.run(words, check=True, capture_output=True, timeout=PDF_TIMEOUT)  # noqa: S603 - a fixed list of words
            made.replace(out)
        except (OSError, subprocess.SubprocessError):
            raise StoreError(f"{out}: {browser} must print the page; it failed. Open report.html and print it there.") from None


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
