"""The files of a study that was built from other tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mgvae.errors import ConfigError, reason_of
from mgvae.files import scratch_folder

COHORT, EXTRACT, BUILT = "cohort.yaml", "extract.parquet", "built.json"


@contextmanager
def replace_files(out: Path) -> Iterator[Path]:
    """Yield an empty folder whose files replace those in ``out`` at the end, if nothing went wrong.

    Raises:
        ConfigError: ``out`` holds files that no build wrote, or cannot be written.
    """
    _check_free(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with scratch_folder(out) as place:
            yield place
            for path in place.iterdir():
                path.replace(out / path.name)
    except OSError as error:
        raise ConfigError(
            f"The folder {out} must be writable with space left; {reason_of(error)}. Give another with --out."
        ) from None


def _check_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / BUILT).is_file())):
        raise ConfigError(f"{out}: must be absent, empty, or an earlier build; it holds other files. Give another with --out.")


def digest_of(cohort: Path, files: Iterable[Path], *texts: str) -> str:
    """Return a digest of a configuration, of further texts, and of the names, sizes and times of files that exist.

    Equal digests mean that a build need not be made anew.
    """
    states = [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in files if path.is_file()]
    return hashlib.sha256(json.dumps([cohort.read_text(encoding="utf-8"), states, texts]).encode()).hexdigest()


def write_json(path: Path, values: object, *, comments: str = "") -> None:
    """Write JSON, which is YAML too, and comments of YAML."""
    text = json.dumps(values, indent=1, ensure_ascii=False, default=str)
    path.write_text(f"{comments}{text}\n", encoding="utf-8")
