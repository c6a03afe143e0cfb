"""Restrict path parameters to the roots in MGVAE_ROOTS."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from mgvae.errors import ConfigError

SETTING = "MGVAE_ROOTS"


def require_allowed(path: str, parameter: str) -> None:
    """Raise ConfigError unless a path lies below a root in MGVAE_ROOTS, if set.

    The roots are folders or URLs, joined by ``:`` as in PATH. Links are resolved first, so that none leads out.

    Args:
        path: a path, a glob or a URL that a parameter names.
        parameter: its name, for the message.
    Raises:
        ConfigError: it lies elsewhere.
    """
    listed = os.environ.get(SETTING, "")
    roots = [root for root in re.split(r":(?!//)", listed) if root.strip()]
    if listed and not any(_below(path, root) for root in roots):
        raise ConfigError(f"{parameter}: must lie below one of the folders and URLs that {SETTING} lists; it lies elsewhere.")


def require_allowed_extract(extract: str) -> None:
    """Check an extract and each of its files, to which a link in a folder may lead.

    Raises:
        ConfigError: one lies elsewhere.
        ExtractError: it cannot be found.
    """
    from mgvae.extract.parts import find_parts  # slow to import, and every command imports this module

    require_allowed(extract, "extract")
    if os.environ.get(SETTING):
        for part in find_parts(extract):
            require_allowed(part.label, "extract")


def require_allowed_dictionary(path: Path) -> None:
    """Check the data dictionary that a cohort.yaml names, before it is read.

    Raises:
        ConfigError: it lies elsewhere.
    """
    require_allowed(str(path), "dictionary in cohort.yaml")


def _below(place: str, root: str) -> bool:
    place, root = (text.removeprefix("file://") for text in (place, root))
    if "::" in place or ("://" in place) != ("://" in root):
        return False
    if "://" in place:
        bare = unquote(place.partition("?")[0])
        return ".." not in bare.split("/") and f"{bare}/".startswith(f"{root.rstrip('/')}/")
    return Path(place).resolve().is_relative_to(Path(root).resolve())
