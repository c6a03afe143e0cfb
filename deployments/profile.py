"""The Prefect profile of the server that ``make up`` starts, so that ``prefect`` finds it from any folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.settings import Profile, get_current_settings, load_profiles, save_profiles

NAME = "mgvae-local"


def use_profile(settings: Mapping[Any, Any], earlier: Path) -> None:
    """Make a profile with these settings the active one; keep the name of the earlier one in a file."""
    profiles = load_profiles()
    before = profiles.active_name
    if NAME in profiles.names:
        profiles.remove_profile(NAME)
    profiles.add_profile(Profile(name=NAME, settings=dict(settings)))
    profiles.set_active(NAME)
    path = Path(get_current_settings().profiles_path or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)  # before the password is in it
    save_profiles(profiles)
    if before != NAME:
        earlier.write_text(before or "", encoding="utf-8")


def restore_profile(earlier: Path) -> None:
    """Make the earlier profile the active one again."""
    profiles = load_profiles()
    if profiles.active_name == NAME:
        name = earlier.read_text(encoding="utf-8") if earlier.exists() else ""
        profiles.set_active(name if name in profiles.names else "ephemeral" if "ephemeral" in profiles.names else None)
    if NAME in profiles.names:
        profiles.remove_profile(NAME)
    save_profiles(profiles)
    earlier.unlink(missing_ok=True)
