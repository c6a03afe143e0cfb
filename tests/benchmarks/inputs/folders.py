"""The inputs that people reported, one folder a kind, and what is right of each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from mgvae.config.study import CohortConfig, load_config
from mgvae.draft.draft import Draft
from mgvae.draft.entry import Drafted
from mgvae.errors import MGVAEError
from mgvae.extract.read import read_extract
from tests.benchmarks.inputs.judge import Judged, drafted
from tests.paths import ROOT

INPUTS = ROOT.parent / "shared" / "inputs"
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # a terminal that knows ASCII alone
Check = Callable[[Draft, CohortConfig], bool]


def _entry(made: Draft, name: str) -> Drafted:
    return next(column for column in made.columns if column.name == name)


def _noted(made: Draft, name: str, words: str) -> bool:
    return any(words in note for note in _entry(made, name).notes)


def _kinds(made: Draft, **kinds: str) -> bool:
    return all(_entry(made, name).kind == kind for name, kind in kinds.items())


def _levels(made: Draft, name: str, *levels: object) -> bool:
    return set(levels) <= set(_entry(made, name).categories)


DRAFTED: dict[str, Check] = {
    "empty-line-before-header": lambda made, _: made.look.rows == 600 and _kinds(made, age="count", died="binary"),
    "decimal128-ids": lambda made, config: made.subject == "patient_id" and _distinct(config, "patient_id") == 600,
    "long-keys": lambda made, _: len(_entry(made, "attending").categories) == 30,
    "codes-with-a-point": lambda made, _: _levels(made, "phecode", "250.1", "250.10") and _kinds(made, icd9_code="categorical"),
    "yyyymmdd-float": lambda made, _: _kinds(made, admitted="date"),
    "date-infinity": lambda made, _: _kinds(made, discharged_on="date") and _noted(made, "discharged_on", "taken for missing"),
    "null-words-among-levels": lambda made, _: (
        _entry(made, "ward").categories == ("A", "B", "C") and _noted(made, "ward", "taken for missing")
    ),
    "thousands-separator": lambda made, config: (
        _entry(made, "platelets").format == "1,234.5" and read_extract(config).frame["platelets"].max() > 1000
    ),
    "percent-signs": lambda made, _: _entry(made, "creatinine").format == "1234.5%",
    "separator-in-quoted-names": lambda made, _: made.look.separator is None and len(made.columns) == 7,
    "names-that-are-codes": lambda made, _: _kinds(made, **{"401.9": "binary", "250.00": "binary"}),
    "blank-before-quote": lambda made, _: made.look.rows == 600 and _kinds(made, age="count", died="binary"),
    "infinite-number-parquet": lambda made, config: not read_extract(config).unreadable.to_numpy().any(),
    "look-alike-levels": lambda made, _: _noted(made, "ward", "look alike"),
}
VALIDATED: dict[str, str] = {  # what the answer must hold; empty where it must pass
    "uuid-subject": "",
    "yaml-no": "",
    "doubled-key": "line 5: each key must be given once; 'sex' is in line 4 too",
    "count-beyond-int64-study": "copies must be below 2^53",
    "sentinel-date-study": "last_visit must be a day of the years",
    "predictor-named-parent-id": "may be called 'parent_id'",
}


def judge_folder(folder: Path, scratch: Path) -> Judged:
    """Take an input as a newcomer does, and judge the answer."""
    try:
        if folder.name in VALIDATED:
            return _validated(folder)
        if folder.name == "names-beyond-ascii":
            return _in_a_bare_terminal(folder, scratch)
        made, config = drafted(next(path for path in folder.iterdir() if path.is_file()), scratch)
        right = DRAFTED[folder.name](made, config) if folder.name in DRAFTED else False
        return Judged(folder.name, "right" if right else "wrong", "" if right else "not what a person expects")
    except MGVAEError as error:
        return Judged(folder.name, "wrong", str(error))
    except Exception as error:
        return Judged(folder.name, "crash", f"{type(error).__name__}: {error}")


def _distinct(config: CohortConfig, name: str) -> int:
    return int(read_extract(config).frame[name].nunique())


def _validated(folder: Path) -> Judged:
    from validation.checks import validate

    try:
        config = load_config(folder / "cohort.yaml")
        extract = read_extract(config)
        said = "; ".join(f"{rule.column} {rule.rule}" for rule in validate(extract.frame, extract.unreadable, config).failed)
    except MGVAEError as error:
        said = str(error)
    words = VALIDATED[folder.name]
    if (said == "") if not words else words in said:
        return Judged(folder.name, "clear" if words else "right", said)
    return Judged(folder.name, "wrong", said or "passed")


def _in_a_bare_terminal(folder: Path, scratch: Path) -> Judged:
    """Draft where the terminal knows ASCII alone."""
    command = [sys.executable, "-m", "flows.cli", "init", str(folder / "x.csv"), "--outcome", "died", "--out", str(scratch)]
    environment = {**os.environ, **BARE, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    return Judged(folder.name, "wrong" if done.returncode else "right", done.stderr.decode(errors="replace"))
