"""Which places a parameter may name; links inside a folder or among the files of a glob lead nowhere else."""

from __future__ import annotations

import os

import pytest

from flows.allowed_paths import require_allowed_extract
from flows.study.flow import cohort_flow
from mgvae.errors import ConfigError
from tests.flows.simulated_study import table, write_study


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A root with a folder of parts, one of them a link to a file elsewhere."""
    inside, elsewhere = tmp_path / "inside", tmp_path / "elsewhere"
    (inside / "parts").mkdir(parents=True)
    elsewhere.mkdir()
    for name in ("a.csv", "b.csv"):
        (inside / "parts" / name).write_text("id,x\n1,2\n")
    (elsewhere / "secret.csv").write_text("id,x\n1,2\n")
    monkeypatch.setenv("MGVAE_ROOTS", str(inside))
    return inside, elsewhere


NAMED = {"folder": "parts", "slash": "parts/", "glob": "parts/*.csv", "deep glob": "**/*.csv", "folders": "p*"}


@pytest.mark.parametrize("named", list(NAMED))
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_among_the_parts_leads_nowhere_else(named, kind, place):
    inside, elsewhere = place
    extract = f"{inside}/{NAMED[named]}"
    require_allowed_extract(extract)
    (inside / "parts" / "within.csv").symlink_to("a.csv")
    require_allowed_extract(extract)
    if kind == "file":
        (inside / "parts" / "c.csv").symlink_to(elsewhere / "secret.csv")
    else:
        (inside / "parts" / "site=A").symlink_to(elsewhere)
    from mgvae.extract.parts import find_parts

    reached = any(os.path.realpath(part.path).startswith(str(elsewhere)) for part in find_parts(extract))
    if not reached:
        return  # the folder's link is not followed
    with pytest.raises(ConfigError, match="extract: must lie below one of the folders"):
        require_allowed_extract(extract)


def test_the_file_s_link_is_reached_by_every_way(place):
    inside, elsewhere = place
    (inside / "parts" / "c.csv").symlink_to(elsewhere / "secret.csv")
    for named in NAMED.values():
        with pytest.raises(ConfigError, match="extract: must lie below"):
            require_allowed_extract(f"{inside}/{named}")


@pytest.mark.usefixtures("database")
def test_a_run_reads_no_link_among_its_parts_and_writes_through_none(place, tmp_path):
    inside, elsewhere = place
    cohort = write_study(inside / "study", extract="parts")
    folder = inside / "study" / "parts"
    folder.mkdir()
    table().to_csv(elsewhere / "whole.csv", index=False)
    (folder / "a.csv").symlink_to(elsewhere / "whole.csv")
    with pytest.raises(ConfigError, match="extract: must lie below"):
        cohort_flow(str(cohort), out=str(inside / "runs"))
    (inside / "runs").mkdir(exist_ok=True)
    (inside / "runs" / "small").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="out: must lie below"):
        cohort_flow(str(cohort), extract=str(inside / "study" / "extract.csv"), out=str(inside / "runs"))
    assert sorted(path.name for path in elsewhere.iterdir()) == ["secret.csv", "whole.csv"]
