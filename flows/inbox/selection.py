"""Which extracts a run works on: the newest that has landed, and any that lands while it works."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flows.inbox.folder import folder_of, newest_landed
from mgvae.config.study import CohortConfig


def select_extracts(config: CohortConfig, inbox: Path, *, given: bool) -> Iterator[tuple[CohortConfig, str]]:
    """Yield the study with an extract to run, and why; look again after each run.

    Args:
        config: the study, with the configured extract or, if ``given``, the one for which the run was started.
        inbox: where extracts land.
        given: the extract was given: it is taken unless it lies in the inbox and a newer one has landed.
    """
    found = newest_landed(inbox, config.study)
    used = Path(config.extract).name if given else found.name if found else "the configured extract"
    if found is not None and (not given or _superseded(config, inbox, found)):
        reason = f"The newest extract of {config.study} in the inbox is {found.name}."
        if given:
            reason = f"Superseded: this run was started for {used}; {found.name} has landed since and is used instead."
        used = found.name
        yield _with(config, found), reason
    elif given:
        yield config, f"The run was started for the extract {used}."
    else:
        yield config, f"No extract of {config.study} has landed in the inbox: the configured one is used."
    while (newer := newest_landed(inbox, config.study)) is not None and newer != found:
        yield _with(config, newer), f"Superseded: {newer.name} landed during the run on {used}; the night goes on with it."
        found, used = newer, newer.name


def _superseded(config: CohortConfig, inbox: Path, newest: Path) -> bool:
    """Return whether the study's extract lies in the inbox, and landed before ``newest``."""
    given = Path(config.extract)
    return given.resolve().parent == folder_of(inbox, config.study).resolve() and given.name < newest.name


def _with(config: CohortConfig, extract: Path) -> CohortConfig:
    return config.model_copy(update={"extract": str(extract.resolve())})
