"""The reference of report.json, from its JSON schema."""

from __future__ import annotations

import json
import re
from typing import Any

from docs.tools.configuration import attributes
from mgvae.report.schema import Report


def schema() -> dict[str, Any]:
    """Return the JSON schema of report.json."""
    return Report.model_json_schema()


def schema_text() -> str:
    """Return the JSON schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def reference() -> str:
    """Return one table of fields for the report and for each part of it, as Markdown."""
    whole = schema()
    parts = {"Report": {key: value for key, value in whole.items() if key != "$defs"}, **whole["$defs"]}
    return "\n\n".join(_part(name, part) for name, part in parts.items() if "properties" in part)


def _part(name: str, part: dict[str, Any]) -> str:
    description = part.get("description", "")
    meanings = attributes(re.sub(r"(?m)^(?=\S| )", "    ", description))
    text = re.sub(r"\n[ ]+", "\n", description.partition("Attributes:")[0].strip()).replace("``", "`")
    cells = [(f"`{field}`", _type(facts), meanings.get(field, "")) for field, facts in part["properties"].items()]
    width = 3 if meanings else 2
    lines = [("field", "type", "meaning"), ("---",) * 3, *cells]
    rows = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line[:width]) + " |" for line in lines]
    return f"## {name}\n\n{text}\n\n" + "\n".join(rows)


def _type(facts: dict[str, Any]) -> str:
    if "$ref" in facts:
        name = facts["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in facts:
            return " or ".join(dict.fromkeys(_type(each) for each in facts[union]))
    if "const" in facts:
        return f"`{json.dumps(facts['const'])}`"
    if "enum" in facts:
        return ", ".join(f"`{value}`" for value in facts["enum"])
    if facts.get("type") == "array":
        return _array(facts)
    if facts.get("type") == "object":
        inner = facts.get("additionalProperties")
        return f"map to {_type(inner)}" if isinstance(inner, dict) else "map"
    bounds = "".join(f", {sign} {facts[key]:g}" for key, sign in (("minimum", "≥"), ("maximum", "≤")) if key in facts)
    return str(facts.get("type", "any")) + bounds


def _array(facts: dict[str, Any]) -> str:
    if "prefixItems" in facts:
        return f"list of {len(facts['prefixItems'])}: {_type(facts['prefixItems'][0])}"
    return f"list of {_type(facts['items'])}"
