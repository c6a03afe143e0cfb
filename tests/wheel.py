"""The wheel of this project, built from a copy of what it is made of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.paths import ROOT


def build_wheel(folder: Path) -> Path:
    """Build the wheel in ``folder``; return its path."""
    for name in ("mgvae", "flows", "validation", "data/nafld"):
        shutil.copytree(ROOT / name, folder / "source" / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    command = [sys.executable, "-m", "pip", "wheel", *options, folder / "source"]
    subprocess.run(command, capture_output=True, timeout=300, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel
