"""Which places a parameter may name: those below the roots that the environment lists, where it lists any."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from mgvae.errors import ConfigError

SETTING = "MGVAE_ROOTS"


def confine(place: str, what: str) -> None:
    """Let a place pass that lies below one of the roots in MGVAE_ROOTS; without that setting, every place passes.

    The roots are folders or URLs, joined by ``:`` as in PATH. Links are resolved first, so that none leads out.

    Args:
        place: a path, a glob or a URL that a parameter names.
        what: the parameter, for the message.
    Raises:
        ConfigError: it lies elsewhere.
    """
    listed = os.environ.get(SETTING, "")
    roots = [root for root in re.split(r":(?!//)", listed) if root.strip()]
    if listed and not any(_below(place, root) for root in roots):
        raise ConfigError(f"{what}: must lie below one of the folders and URLs that {SETTING} lists; it lies elsewhere.")


def confine_dictionary(place: Path) -> None:
    """Let the data dictionary that a cohort.yaml names pass, before it is read; for `mgvae.config.study.load_config`.

    Raises:
        ConfigError: it lies elsewhere.
    """
    confine(str(place), "dictionary in cohort.yaml")


def _below(place: str, root: str) -> bool:
    place, root = (one.removeprefix("file://") for one in (place, root))
    if "::" in place or ("://" in place) != ("://" in root):
        return False
    if "://" in place:
        bare = unquote(place.partition("?")[0])
        return ".." not in bare.split("/") and f"{bare}/".startswith(f"{root.rstrip('/')}/")
    return Path(place).resolve().is_relative_to(Path(root).resolve())
