"""The benchmark of nights: its faults are in the data, its targets are counted as they read, its records are kept."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.nights import __main__ as command
from tests.benchmarks.nights.chain import NightRecord
from tests.benchmarks.nights.world import A_NIGHT, BEGIN, FAULTS, START, World


def test_patients_stay_the_same_from_night_to_night_and_newcomers_are_added():
    world = World("nothing", 0)
    first, later = world.extract(0), world.extract(30)
    assert (len(first), len(later)) == (START, START + 30 * A_NIGHT)
    assert later.iloc[: len(first)].equals(first)


@pytest.mark.parametrize("fault", [one for one in FAULTS if one != "nothing"])
def test_a_fault_begins_on_its_night_and_not_before(fault):
    here, plain = World(fault, 0), World("nothing", 0)
    columns = ["id", "died", "age", "weight"]
    if fault != "better_data":
        assert here.extract(BEGIN - 1)[columns].equals(plain.extract(BEGIN - 1)[columns])
    assert not here.extract(BEGIN).equals(plain.extract(BEGIN))


def chain(said, actions=("kept",), truth=0.8):
    return [NightRecord(night, list(one), actions[night % len(actions)], truth) for night, one in enumerate(said)]


def test_targets_are_counted_as_they_read():
    quiet = chain([[]] * 200)
    on_time = chain([[]] * (BEGIN + 2) + [["relation"]])
    late = chain([[]] * (BEGIN + 3) + [["relation"]])
    met = dict(command.targets({"nothing": [quiet], "wrong_join": [on_time]}))
    assert all(met.values())
    assert not all(dict(command.targets({"wrong_join": [late]})).values())
    useless = chain([[]] * 3, actions=("promoted",), truth=0.5)
    assert [ok for text, ok in command.targets({"nothing": [useless]}) if "useless" in text] == [False]
    alarms = chain([["tails"], *[[]] * 98])
    assert [ok for text, ok in command.targets({"nothing": [alarms]}) if "alarms" in text] == [False]


def test_a_chain_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "lived", lambda fault, seed, nights, accept: chain([[]] * nights))
    first = command.kept(tmp_path, "nothing", 0, 4)
    monkeypatch.setattr(command, "lived", None)
    assert command.kept(tmp_path, "nothing", 0, 4) == first
    assert len(json.loads((tmp_path / "nothing-0-4.json").read_text())) == 4
