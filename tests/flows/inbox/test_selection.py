"""A night takes the newest extract, looks again at its end, and says when it finds itself superseded."""

import pytest

from flows.inbox.folder import next_name
from flows.inbox.selection import select_extracts
from mgvae.config.study import load_config
from tests.flows.simulated_study import write_study


@pytest.fixture
def config(tmp_path):
    return load_config(write_study(tmp_path / "study"))


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox" / "small").mkdir(parents=True)
    return tmp_path / "inbox"


def land(inbox, digit):
    path = inbox / "small" / next_name(inbox, "small", digit * 64, ".csv")
    path.write_text("id\n1\n", encoding="utf-8")
    return path


def used(selected):
    return selected[0].extract


def test_the_configured_extract_is_used_until_one_has_landed(config, inbox):
    night = select_extracts(config, inbox, given=False)
    assert used(next(night)) == config.extract
    assert next(night, None) is None


def test_the_newest_is_taken_and_at_the_end_what_landed_meanwhile(config, inbox):
    land(inbox, "a")
    second = land(inbox, "b")
    night = select_extracts(config, inbox, given=False)
    assert used(next(night)) == str(second)
    land(inbox, "c")
    fourth = land(inbox, "d")
    selected, reason = next(night)
    assert selected.extract == str(fourth)  # the newer of two that land together
    assert reason == f"Superseded: {fourth.name} landed during the run on {second.name}; the night goes on with it."
    assert next(night, None) is None


def test_the_first_that_lands_during_a_run_on_the_configured_extract_is_taken(config, inbox):
    night = select_extracts(config, inbox, given=False)
    next(night)
    landed = land(inbox, "a")
    assert used(next(night)) == str(landed)


def test_a_run_that_was_started_for_an_older_extract_says_that_it_is_superseded(config, inbox):
    older = land(inbox, "a")
    newer = land(inbox, "b")
    night = select_extracts(config.model_copy(update={"extract": str(older)}), inbox, given=True)
    selected, reason = next(night)
    assert selected.extract == str(newer)
    assert reason == f"Superseded: this run was started for {older.name}; {newer.name} has landed since and is used instead."
    assert next(night, None) is None


def test_a_run_that_was_started_for_the_newest_takes_it_once(config, inbox):
    land(inbox, "a")
    newest = land(inbox, "b")
    night = select_extracts(config.model_copy(update={"extract": str(newest)}), inbox, given=True)
    selected, reason = next(night)
    assert (selected.extract, reason.startswith("Superseded")) == (str(newest), False)
    assert next(night, None) is None


def test_an_extract_from_elsewhere_is_not_older_than_what_has_landed(config, inbox):
    land(inbox, "a")
    night = select_extracts(config, inbox, given=True)
    assert used(next(night)) == config.extract
    assert next(night, None) is None
    landed_later = select_extracts(config, inbox, given=True)
    next(landed_later)
    newer = land(inbox, "b")
    assert used(next(landed_later)) == str(newer)
