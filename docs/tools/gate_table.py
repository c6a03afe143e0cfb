"""The gates of runs beside each other, from report.json: python -m docs.tools.gate_table RUN [RUN ...]."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from docs.tools.cohort_table import NAMES


def table(reports: list[dict[str, Any]]) -> str:
    """Return each gate's value, interval, and verdict where it is no pass, as a Markdown table with a column a run."""
    gates = [{gate["name"]: gate for gate in report["synthetic"]["gates"]} for report in reports]
    names = [NAMES.get(report["study"], report["study"]) for report in reports]
    rows = ["| gate | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 1)]
    measured = [name for name in gates[0] if any(name in found and found[name]["value"] is not None for found in gates)]
    return "\n".join(
        rows + [f"| `{name}` | " + " | ".join(_cell(found.get(name)) for found in gates) + " |" for name in measured]
    )


def _cell(gate: dict[str, Any] | None) -> str:
    if gate is None:
        return "–"
    verdict = "" if gate["verdict"] == "pass" else f", **{gate['verdict'].replace('_', ' ')}**"
    if gate["value"] is None:
        return f"–{verdict}"
    limits = [_number(gate[name]) for name in ("low", "high")]
    return f"{_number(gate['value'])} ({limits[0]} to {limits[1]}){verdict}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


if __name__ == "__main__":
    print(table([json.loads((Path(run) / "report.json").read_text(encoding="utf-8")) for run in sys.argv[1:]]))
