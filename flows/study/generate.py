"""Generate further synthetic cases from a finished run, for `mgvae generate`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from flows.runs.folder import FinishedRun, finished_run
from mgvae.errors import ConfigError, StoreError, reason_of
from mgvae.files import scratch_folder

MOST_SEED = 2**32


def check_order(*, n: int, out: Path, seed: int, force: bool) -> None:
    """Check the number, the seed and the file before anything is loaded.

    Raises:
        ConfigError: what is wrong.
    """
    if n < 1:
        raise ConfigError(f"--n must be 1 or more; got {n}.")
    if not 0 <= seed < MOST_SEED:
        raise ConfigError(f"--seed must be from 0 to {MOST_SEED - 1}; got {seed}.")
    if out.suffix != ".parquet":
        raise ConfigError(f"--out {out}: must be a file whose name ends in .parquet.")
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: its folder must exist. Make it, or give another.")
    if out.is_dir() or (not force and (out.exists() or out.is_symlink())):
        raise ConfigError(f"--out {out}: is there already and is not replaced. Give another name, or --force.")


def generate(run: Path, *, n: int, out: Path, seed: int, store: str | None = None) -> str:
    """Write ``n`` synthetic cases of a run to ``out``; return the run's status.

    The table is that of the run's own ``synthetic.parquet``, with cases that are drawn apart from those.

    Args:
        run: the run folder.
        n: how many.
        out: the Parquet file; replaced if it is there.
        seed: the same seed gives the same bytes.
        store: folder or URL of the artifact store, see `open_store`.
    Raises:
        ConfigError: ``run`` is no run folder.
        StoreError: an artifact of the run is missing or damaged, or the file cannot be written.
    """
    found = finished_run(run, store)
    from flows.runs.publish import gate_note  # torch takes seconds to import
    from mgvae.generator.release import write_labelled

    table = _cases(found, n, seed)
    try:
        with scratch_folder(out.parent) as place:
            write_labelled(table, place / out.name, note=gate_note(found.status, found.folders["finetune"]))
            (place / out.name).chmod(0o600)
            (place / out.name).replace(out)
    except OSError as error:
        raise StoreError(f"The file {out} must be writable with space left; {reason_of(error)}.") from None
    return found.status


def _cases(found: FinishedRun, n: int, seed: int) -> pd.DataFrame:
    """Return ``n`` cases as users see them, drawn from a stream of their own."""
    from flows.study.stages.synthesise import translate
    from mgvae.cohort.files import load_cohort
    from mgvae.generator.release import released
    from mgvae.reproducibility import derive

    folders, stream = found.folders, derive(seed, "generate")
    made = translate(folders["finetune"], folders["encode"], found.config, seed=stream, n=n)
    cohort, test = load_cohort(folders["split"])
    return released(made, found.config, cohort.take(~test & ~cohort.event))
