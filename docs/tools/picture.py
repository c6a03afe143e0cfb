"""Photograph the first page of a report with headless Chromium: python -m docs.tools.picture REPORT.html PICTURE.png."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
WIDTH, HEIGHT = 1180, 1320  # CSS pixels: the verdict, the recommendation and the cohort
SCALE = 2
COLOURS = 128


def photograph(page: Path, picture: Path, *, width: int = WIDTH, height: int = HEIGHT, scale: float = SCALE) -> None:
    """Write the top of a local HTML page as a PNG with few colours.

    Raises:
        FileNotFoundError: Chromium is not installed, or the page is missing.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        raise FileNotFoundError("Chromium must be installed; none is on the PATH. Debian: apt-get install chromium.")
    if not page.is_file():
        raise FileNotFoundError(f"{page}: must be an HTML page; there is none. Run make demo first.")
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        size = (f"--window-size={width},{height}", f"--force-device-scale-factor={scale:g}")
        command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", *size, f"--screenshot={raw}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        with Image.open(raw) as image:
            image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


if __name__ == "__main__":
    photograph(Path(sys.argv[1]), Path(sys.argv[2]))
