"""Check a study's champion: the chain of hashes, the link, files and model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flows.runs.audit_anchor import disagreeing
from flows.runs.audit_log import LOG, Change, champions, last_move, read
from flows.runs.folder import CHAMPION, LATEST, is_whole, link_target
from mgvae.errors import ConfigError, StoreError, nearest
from mgvae.store.artifact import MANIFEST, Reference, digest_file
from mgvae.store.open import AnyStore


@dataclass(frozen=True)
class ChampionStatus:
    """What a study's log says, and what is wrong with it.

    Attributes:
        changes: all lines, the oldest first.
        champion: the change by which the present champion became it; None where there is none.
        before: the run to which a rollback would return; None where there is none.
        problems: what does not agree; empty where all is well.
    """

    changes: tuple[Change, ...]
    champion: Change | None
    before: str | None
    problems: tuple[str, ...]


def inspect_champion(study: Path, store: AnyStore) -> ChampionStatus:
    """Return the champion of a study and all problems found; change nothing."""
    changes, wrong = read(study)
    stack, champion = champions(changes), last_move(changes)
    problems = [*wrong, *(_problems(study, store, champion) if champion is not None else ())]
    problems += disagreeing(study) if not wrong else ()
    linked = link_target(study / CHAMPION)
    if champion is None and linked is not None and not wrong:
        problems.append(f"{study / LOG} must tell how {linked} became champion; it is lost.")
    return ChampionStatus(changes, champion, stack[-2].run_id if len(stack) > 1 else None, tuple(problems))


def study_folder(named: str, out: Path) -> Path:
    """Return the folder of a study, given its name below ``out`` or its path.

    Raises:
        ConfigError: there is neither.
    """
    below = out / named
    for folder in (below, Path(named)):
        if folder.is_dir() and not (folder / MANIFEST).exists():
            return folder
    if Path(named).is_dir():
        raise ConfigError(f"{named}: is a run folder. Give the study's: its name, or {Path(named).absolute().parent}.")
    known = sorted(folder.name for folder in out.glob("[!.]*") if (folder / LATEST).is_symlink() or (folder / LOG).exists())
    hint = f" Studies there: {', '.join(known)}." if known else ""
    raise ConfigError(
        f"{named}: must be a study below {out}, or the folder of its runs; there is none.{nearest(named, known)}{hint}"
    )


def _problems(study: Path, store: AnyStore, champion: Change) -> Iterator[str]:
    folder, linked = study / champion.run_id, link_target(study / CHAMPION)
    if linked != champion.run_id:
        yield (
            f"{study / CHAMPION} points at {linked or 'nothing'}, and the audit log says {champion.run_id}: a process was "
            "stopped, or someone moved the link. The next run puts it right."
        )
    if not is_whole(folder):
        yield f"{folder}: must hold the files that its {MANIFEST} names; one is missing or damaged."
    for name in (MANIFEST, "report.json"):
        if (folder / name).is_file() and digest_file(folder / name) != champion.sha256.get(name):
            yield f"{folder / name}: must be the file that became champion; it was changed since."
    try:
        store.folder(Reference("model", str(champion.sha256.get("model"))))
    except StoreError as error:
        yield f"{error} Without it, no new run can be compared with the champion."
