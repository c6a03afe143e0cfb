"""What a person may do: promote a run against the comparison, and bring former champions back."""

from __future__ import annotations

import shutil

import pytest

from flows.runs.champion import promote, rollback
from mgvae.errors import ConfigError, StoreError
from tests.flows.champion_tools import considered, taken_up


def test_a_person_may_promote_what_the_comparison_keeps_out(nights, monkeypatch):
    monkeypatch.setenv("MGVAE_USER", "Dr. A. Person")
    change = promote(nights.study / "worse", reason="  trial of the log ")
    assert nights.champion == "worse"
    assert (change.who, change.reason, change.previous) == ("Dr. A. Person", "trial of the log", "one")
    assert change.comparison["auroc"]["value"] < -0.1, "it is logged all the same"
    assert considered(nights, "alike").champion == "alike"


def test_but_failed_gates_only_by_force_and_the_champion_not_again(nights):
    with pytest.raises(ConfigError, match=r"gates passed or only warned; its status is fail.*--force"):
        promote(nights.study / "gates", reason="x")
    assert promote(nights.study / "gates", reason="known", force=True).run_id == "gates"
    with pytest.raises(ConfigError, match="is the champion already, since 20"):
        promote(nights.study / "gates", reason="x", force=True)
    with pytest.raises(ConfigError, match="--reason must say why"):
        promote(nights.study / "alike", reason=" ")
    with pytest.raises(ConfigError, match=r"manifest.json: no such file"):
        promote(nights.study, reason="x")


@pytest.mark.parametrize("lost", ["model", "split", "predictions"])
def test_a_promoted_run_must_be_whole(lost, nights):
    if lost == "predictions":
        (nights.study / "alike" / "predictions.parquet").write_bytes(b"PAR1")
    else:
        shutil.rmtree(taken_up(nights, "alike").folders[lost])
    if lost == "split":  # then there is nobody to compare on, and no more
        assert promote(nights.study / "alike", reason="x").comparison is None
        return
    with pytest.raises(StoreError, match=r"Artifact model .* not in the store|must hold the files"):
        promote(nights.study / "alike", reason="x")
    assert nights.champion == "one"


def test_rollback_goes_back_step_by_step_and_what_was_rolled_back_stays_away(nights):
    considered(nights, "alike")
    promote(nights.study / "worse", reason="a mistake")
    assert rollback(nights.study, reason="mend it").run_id == nights.champion == "alike"
    assert considered(nights, "worse").action == "kept"
    twin = nights.night("twin", n=1530, spoilt=True)
    assert "model of a champion that a person rolled back" in nights.consider(twin).reason
    assert rollback(nights.study, reason="further").run_id == nights.champion == "one"
    with pytest.raises(ConfigError, match="must have had a champion before the present one; only one has been one"):
        rollback(nights.study, reason="further")
    with pytest.raises(ConfigError, match="--reason must say why"):
        rollback(nights.study, reason="")
    said = [line["action"] for line in nights.lines()]
    assert said == ["promoted", "promoted", "promoted", "rolled_back", "kept", "kept", "rolled_back"]


def test_rollback_to_a_run_folder_that_is_gone_is_refused(nights):
    considered(nights, "alike")
    shutil.rmtree(nights.study / "one")
    with pytest.raises(StoreError, match="one: must hold the files"):
        rollback(nights.study, reason="x")
    assert nights.champion == "alike"
