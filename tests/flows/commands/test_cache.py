"""The commands `mgvae cache ls`, `gc` and `rm`: what they print and what they refuse."""

from __future__ import annotations

import pytest

from mgvae.errors import StoreError
from mgvae.store.open import open_store
from tests.flows.command_line import refused
from tests.flows.stored_runs import NUMBERS, Runs


@pytest.fixture
def here(tmp_path):
    made = Runs(tmp_path / "runs", None)
    made.small = [made.run("small", name, name, validate="v", evaluate=name) for name in ("one", "two")]
    return made


def test_the_commands(here, mgvae):
    here.age(days=3)
    said = mgvae("cache", "ls", "--out", here.out)
    assert (said.code, said.err) == (0, "")
    assert here.small[0]["evaluate"].sha256[:12] in said.out
    assert "small/one, small/two" in said.out
    assert "3 days ago" in said.out
    assert f"5 artifacts, {sum(e.size for e in here.store.entries()) / 1000:.1f} kB, in {here.out / '.store'}." in said.out
    told = mgvae("cache", "gc", "--keep-last", 1, "--out", here.out, "--dry-run").out
    assert len(here.held()) == 5
    said = mgvae("cache", "gc", "--keep-last", 1, "--out", here.out)
    assert said.out == told.replace("Would free", "Freed")
    assert f"evaluate {here.small[0]['evaluate'].sha256[:12]}, " in said.out
    assert "bytes in" in said.out.splitlines()[-1]
    assert said.out.splitlines()[-1].endswith(": 2 artifacts.")
    said = mgvae("cache", "rm", here.small[1]["evaluate"].sha256[:10], "--out", here.out)
    assert said.out.splitlines()[-1].endswith(": 1 artifacts.")
    assert len(here.held()) == 2


def test_the_commands_on_a_url(mgvae, tmp_path):
    made = Runs(tmp_path / "runs", f"memory://commands-{next(NUMBERS)}")
    made.run("small", "one", "2026", validate="v")
    assert "2 artifacts, " in mgvae("cache", "ls", "--out", made.out, "--store", made.where).out
    assert "small/one" in mgvae("cache", "ls", "--out", made.out, "--store", made.where).out


def test_an_empty_store(mgvae, tmp_path):
    assert "0 artifacts, 0 B" in mgvae("cache", "ls", "--out", tmp_path / "none").out
    assert "Freed 0 bytes" in mgvae("cache", "gc", "--keep-last", 1, "--out", tmp_path / "none").out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rm",), ("give either a KEY",)),
        (("gc",), ("Missing option '--keep-last'",)),
        (("gc", "--keep-last", 0), ("Invalid value for '--keep-last'",)),
        (("ls", "--store", "s3://key:secret@bucket/x"), ("must be a plain URL", "in the environment")),
    ],
    ids=str,
)
def test_refusals_of_the_commands(arguments, words, mgvae, tmp_path):
    said = mgvae("cache", *arguments, "--out", tmp_path)
    refused(said, *words)
    assert "secret" not in said.err


def test_a_store_that_is_a_file(mgvae, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        open_store(tmp_path, str(tmp_path / "file")).write_note("a", 1)
    assert "0 artifacts" in mgvae("cache", "ls", "--out", tmp_path, "--store", tmp_path / "file").out
