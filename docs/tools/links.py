"""Links of Markdown files: where they lead in the repository, and on the site."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# pages of the site that are written beside what they describe
INCLUDED = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "deployments/README.md": "operations/index.md",
    "deployments/SECURITY.md": "operations/security.md",
    "deployments/SEVERAL_MACHINES.md": "operations/several-machines.md",
    "data/nafld/README.md": "results/nafld.md",
    "data/actg320/README.md": "results/actg320.md",
    "tests/benchmarks/oversamplers/LOG.md": "results/oversamplers-log.md",
}
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?P<text>!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^()\s]+)\)")


def page_of(path: str) -> str | None:
    """Return the page of the site that shows a file of the repository, or None."""
    if path in INCLUDED:
        return INCLUDED[path]
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def relative_links(text: str) -> list[str]:
    """Return the targets of all links that lead to a place in the repository."""
    targets = [match["target"] for match in LINK.finditer(FENCE.sub("", text))]
    return [target for target in targets if "://" not in target and not target.startswith("mailto:")]


def for_the_site(text: str, *, source: str, page: str) -> str:
    """Return Markdown whose links lead to pages of the site; a link to a file that has no page becomes its text.

    Args:
        text: the Markdown.
        source: path of the file in the repository, which its links are relative to.
        page: path of the page below the root of the site.
    """

    def rewrite(match: re.Match[str]) -> str:
        path, hash_sign, anchor = match["target"].partition("#")
        if "://" in path or path.startswith("mailto:") or not path:
            return match[0]
        target = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))
        if target is None:
            return match["text"].strip("![]")
        return f"{match['text']}({posixpath.relpath(target, posixpath.dirname(page) or '.')}{hash_sign}{anchor})"

    parts = re.split(f"({FENCE.pattern})", text, flags=FENCE.flags)
    return "".join(part if part.startswith("```") else LINK.sub(rewrite, part) for part in parts)
