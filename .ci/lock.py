"""Write requirements.lock: what the product needs, in the versions of constraints.txt, with the hashes of all their files.

Usage: python .ci/lock.py, in an environment with these versions and uv; `make lock` calls it. The hashes are those of the
index in use, and of the files that pip takes here, such as a CPU build of torch, which lies on another index.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("", "statistics", "postgres", "s3", "dask", "server", "kubernetes")  # what runs in production: no tests, no documents
HEAD = """\
# What the product and its extras need ({extras}), in the versions of constraints.txt, with hashes.
# make lock writes it; how to install from it: CONTRIBUTING.md.
"""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: \\)?$")


def main() -> None:
    """Write the file."""
    pins = {normal(name): version for name, version in pinned((ROOT / "constraints.txt").read_text(encoding="utf-8"))}
    names = closure("mgvae-cohort", EXTRAS) - {"mgvae-cohort"}
    wanted = "".join(f"{name}=={pins[name]}\n" for name in sorted(names))
    hashes = of_index(wanted)
    for name, found in in_use(wanted).items():
        hashes[name] |= found
    lines = [HEAD.format(extras=", ".join(filter(None, EXTRAS)))]
    for name in sorted(names):
        entry = " \\\n".join([f"{name}=={pins[name]}", *(f"    --hash=sha256:{one}" for one in sorted(hashes[name]))])
        lines.append(f"{entry}\n")
    (ROOT / "requirements.lock").write_text("".join(lines), encoding="utf-8")


def normal(name: str) -> str:
    """Return the name of a distribution as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(text: str) -> list[tuple[str, str]]:
    """Return the pins of a requirements file."""
    return [(match[1], match[2]) for match in map(PIN.match, text.splitlines()) if match]


def closure(name: str, extras: tuple[str, ...]) -> set[str]:
    """Return a distribution that is installed here, and all that it and these extras need."""
    found: dict[str, set[str]] = {}
    queue = [(name, extra) for extra in extras]
    while queue:
        at, extra = queue.pop()
        if extra in found.setdefault(normal(at), set()):
            continue
        found[normal(at)].add(extra)
        for text in importlib.metadata.requires(at) or []:
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                queue += [(need.name, more) for more in ("", *need.extras)]
    return set(found)


def of_index(pins: str) -> dict[str, set[str]]:
    """Return the hashes of all files of each pinned version that the index in use has."""
    command = ["uv", "pip", "compile", "-", "--no-deps", "--generate-hashes", "--no-header", "--no-annotate"]
    text = subprocess.run(command, input=pins, text=True, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603
    found: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if match := PIN.match(line):
            name = normal(match[1])
        found.setdefault(name, set()).update(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def in_use(pins: str) -> dict[str, set[str]]:
    """Return the hash of the file that pip takes here for each pinned version; nothing is installed."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet"]
    command += ["--report", "-", *pins.split()]
    report = json.loads(subprocess.run(command, text=True, stdout=subprocess.PIPE, check=True).stdout)  # noqa: S603
    chosen = {normal(item["metadata"]["name"]): item["download_info"]["archive_info"] for item in report["install"]}
    return {name: {info["hashes"]["sha256"]} for name, info in chosen.items()}


if __name__ == "__main__":
    main()
