"""requirements.lock: the versions of constraints.txt, with hashes, of all that the product needs, and of no more."""

import re
import runpy
import tomllib

from packaging.requirements import Requirement

from tests.paths import ROOT

LOCK = runpy.run_path(str(ROOT / ".ci" / "lock.py"))
TEXT = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(text):
    return {LOCK["normal"](name): version for name, version in LOCK["pinned"](text)}


def test_both_files_agree_on_versions():
    constraints, locked = pins((ROOT / "constraints.txt").read_text(encoding="utf-8")), pins(TEXT)
    assert locked.items() <= constraints.items()
    assert len(locked) > 100


def test_each_version_lies_in_its_range_and_none_is_missing():
    extras = [PROJECT["optional-dependencies"][extra] for extra in LOCK["EXTRAS"] if extra]
    locked = pins(TEXT)
    for requirement in map(Requirement, sum(extras, PROJECT["dependencies"])):
        assert requirement.specifier.contains(locked[LOCK["normal"](requirement.name)]), requirement
    unused = {Requirement(text).name for text in PROJECT["optional-dependencies"]["dev"]} & locked.keys()
    assert unused <= {"adbc-driver-postgresql", "distributed", "pyreadstat", "s3fs"}  # those of extras
    assert "ctgan" not in locked


def test_what_is_installed_needs_nothing_else():
    locked = pins(TEXT)
    assert LOCK["closure"]("mgvae-cohort", ("",)) - {"mgvae-cohort"} <= locked.keys()


def test_each_pin_has_hashes_and_nothing_else_stands_there():
    entry = r"[a-z0-9-]+==[0-9][^ ]*(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(rf"(?:#[^\n]*\n)+(?:{entry})+", TEXT)
    assert "://" not in TEXT  # no index has its name here
