"""The manifests as those who read them do: Compose with its variables filled in, the charts' values, job templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.paths import ROOT

DEPLOYMENTS = ROOT / "deployments"
KUBERNETES = DEPLOYMENTS / "kubernetes"
VALUES = ("server-values.yaml", "worker-cpu-values.yaml", "worker-gpu-values.yaml")
COMPOSE = DEPLOYMENTS / "compose.yaml"
SETTINGS = {
    "POSTGRES_PASSWORD": "a1",
    "REDIS_PASSWORD": "b2",
    "PREFECT_API_AUTH_STRING": "team:c3",
    "PREFECT_SERVER_ENCRYPTION_KEY": "7vJ0WEgfr1sN0V1f4zxYJ9nq2Qm5r0a5kK0C9ZqWv6o=",
    "MGVAE_DATA": "/srv/data",
    "MGVAE_INBOX": "/srv/inbox",
    "MGVAE_RUNS": "/srv/runs",
}
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?+])((?:[^{}]|\$\{\w+\})*))?\})")


class UnsetError(Exception):
    """A variable that must be set is not."""


def compose(settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return compose.yaml as Compose understands it."""
    return dict(YAML(typ="safe").load(filled(COMPOSE.read_text(encoding="utf-8"), SETTINGS if settings is None else settings)))


def filled(text: str, settings: Mapping[str, str]) -> str:
    """Return text with its ${VARIABLES} replaced, as the Compose specification has it. A comment may name one."""

    def one(found: re.Match[str]) -> str:
        dollar, name, how, more = found.groups()
        if dollar:
            return "$"
        value = settings.get(name, "")
        if how == ":+":
            return filled(more, settings) if value else ""
        if not value and how == ":?":
            raise UnsetError(name)
        return value or (filled(more, settings) if how == ":-" else "")

    return _VARIABLE.sub(one, text)


def read(name: str, folder: Path = DEPLOYMENTS) -> Any:
    """Return the only document of a YAML or JSON file."""
    return YAML(typ="safe").load((folder / name).read_text(encoding="utf-8"))


def documents() -> list[dict[str, Any]]:
    """Return all that kubectl applies."""
    found = []
    for path in sorted(KUBERNETES.glob("*.yaml")):
        found += [one for one in YAML(typ="safe").load_all(path.read_text(encoding="utf-8")) if one and "kind" in one]
    return found


def walk(content: Any, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every scalar with its place."""
    pairs = content.items() if isinstance(content, Mapping) else enumerate(content) if isinstance(content, list) else None
    if pairs is None:
        yield at, content
        return
    for key, value in pairs:
        yield from walk(value, (*at, str(key)))
