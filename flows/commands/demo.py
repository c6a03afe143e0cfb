"""The `mgvae demo` command: copy the study that ships to a folder, to be run there."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from flows.allowed_paths import require_allowed
from mgvae.errors import ConfigError, reason_of
from mgvae.files import scratch_folder

SHIPPED = files("flows.commands") / "nafld"  # in a clone, links to data/nafld


def copy_study(folder: Path) -> Path:
    """Copy the NAFLD study to a folder, and return the path of its cohort.yaml there.

    Args:
        folder: made if it is missing. A file that is there stays, so that a study which a person changed is theirs.

    Raises:
        ConfigError: the folder cannot be written, or lies outside the allowed paths.
    """
    require_allowed(str(folder), "--out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as scratch:
            for shipped in SHIPPED.iterdir():
                if not (folder / shipped.name).exists():
                    (scratch / shipped.name).write_bytes(shipped.read_bytes())
                    (scratch / shipped.name).replace(folder / shipped.name)
    except OSError as error:
        raise ConfigError(f"{folder}: must be a folder that can be written, with space left; {reason_of(error)}.") from None
    return folder / "cohort.yaml"
