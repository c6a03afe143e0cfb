"""The reference of findings, from the registry of codes."""

from __future__ import annotations

from mgvae.findings import REGISTRY


def reference() -> str:
    """Return the registry as a Markdown table."""
    rows = [
        f"| `{kind.code}` | {kind.severity} | {kind.domain} | {kind.title} | {kind.why} | {kind.remedy} |"
        for kind in sorted(REGISTRY.values(), key=lambda kind: kind.code)
    ]
    return "\n".join(["| code | severity | domain | finding | why it matters | what to do |", "|" + "---|" * 6, *rows])
