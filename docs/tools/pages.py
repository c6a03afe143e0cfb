"""Hooks of mkdocs: generated references, pages from elsewhere in the repository, the list of decisions."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.structure.files import File, Files

from docs.tools import configuration, findings, gallery, report_schema
from docs.tools.links import INCLUDED, ROOT, for_the_site

GENERATED = {
    "<!-- generated: configuration -->": configuration.reference,
    "<!-- generated: report -->": report_schema.reference,
    "<!-- generated: findings -->": findings.reference,
}
DECISIONS = "<!-- generated: decisions -->"


def on_config(config: Any) -> Any:
    """Add each decision to the navigation."""
    (place,) = [item["Decisions"] for item in config.nav if "Decisions" in item]
    place.extend(f"decisions/{path.name}" for path in _decisions())
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Add the pages that are written elsewhere in the repository, and the JSON schema of report.json."""
    for source, page in INCLUDED.items():
        text = for_the_site((ROOT / source).read_text(encoding="utf-8"), source=source, page=page)
        files.append(File.generated(config, page, content=text))
    for path in (ROOT / "docs" / "gallery").glob("*.png"):
        if (report := gallery.report_of(path.stem)).exists():
            files.append(File.generated(config, f"gallery/{path.stem}.html", abs_src_path=str(report)))
    files.append(File.generated(config, "reference/report.schema.json", content=report_schema.schema_text()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Fill in the generated parts, and lead links to pages of the site."""
    if page.file.generated_by is None:
        markdown = for_the_site(markdown, source=f"docs/{page.file.src_uri}", page=page.file.src_uri)
    for marker, generate in GENERATED.items():
        if marker in markdown:
            markdown = markdown.replace(marker, generate())
    markdown = gallery.REPORT.sub(lambda match: gallery.link_to_report(match[1]), markdown)
    return markdown.replace(DECISIONS, _list_of_decisions()) if DECISIONS in markdown else markdown


def _decisions() -> list[Any]:
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def _list_of_decisions() -> str:
    titles = [(path.name, re.match(r"# (\d+)\. (.+)", path.read_text(encoding="utf-8"))) for path in _decisions()]
    return "\n".join(f"- [{match[1]}. {match[2]}]({name})" for name, match in titles if match)
