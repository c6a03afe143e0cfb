"""A champion per study: who takes its place, who does not, and that nothing that goes wrong moves it."""

from __future__ import annotations

import json
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.runs import champion as championship
from flows.runs.audit_log import Change, opened, read
from flows.runs.champion import promote, rollback
from mgvae.cohort.files import save_cohort
from mgvae.errors import ConfigError, StoreError
from mgvae.evaluation.deployed_model import load_deployed
from mgvae.store.artifact import Reference, digest_file
from tests.flows.champion_tools import COLUMNS, Night, Nights, config, split_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study with its first champion, and three nights of which none was considered: alike, worse, alike but gates failed."""
    nights = Nights(tmp_path_factory.mktemp("nights") / "runs")
    first = nights.night("one")
    assert nights.consider(first).action == "promoted"
    nights.night("alike", n=1530)
    nights.night("worse", n=1530, spoilt=True)
    nights.night("gates", n=1530, status="fail")
    return nights


@pytest.fixture
def nights(made, tmp_path):
    """A copy of that study, to be changed."""
    shutil.copytree(made.out, tmp_path / "runs", symlinks=True)
    return Nights(tmp_path / "runs")


def taken_up(nights, run_id):
    """Return a night that is there already."""
    folder = nights.study / run_id
    artifacts = json.loads((folder / "manifest.json").read_text())["lineage"]["artifacts"]
    folders = {stage: nights.store.folder(Reference(stage, sha256)) for stage, sha256 in artifacts.items()}
    return Night(config(), folder, folders)


def considered(nights, run_id):
    return nights.consider(taken_up(nights, run_id))


def test_the_first_run_whose_gates_pass_is_champion(made):
    assert (made.study / "champion").readlink() == Path("one")
    (line,) = read(made.study)[0]
    assert (line.action, line.run_id, line.previous, line.previous_sha256) == ("promoted", "one", None, None)
    folder = made.study / "one"
    assert {name: line.sha256[name] for name in ("manifest.json", "report.json")} == {
        name: digest_file(folder / name) for name in ("manifest.json", "report.json")
    }
    assert line.sha256["model"] == json.loads((folder / "manifest.json").read_text())["lineage"]["artifacts"]["model"]
    assert "@" in line.who
    assert line.at.endswith("+00:00")
    assert stat.S_IMODE((made.study / "audit.jsonl").stat().st_mode) == 0o600


def test_a_run_that_is_not_worse_takes_its_place_and_latest_stays(nights):
    latest = (nights.study / "latest").readlink()
    decision = considered(nights, "alike")
    assert (decision.action, decision.champion, decision.warning) == ("promoted", "alike", None)
    assert nights.champion == "alike"
    assert (nights.study / "latest").readlink() == latest
    line = nights.lines()[-1]
    assert (line["previous"], line["reason"], line["comparison"]) == ("one", decision.reason, decision.comparison)
    assert line["reason"].startswith("Not worse than the champion on ")
    assert "not worse" in line["rule"]
    assert {"champion", "challenger", "value", "low", "high"} == set(line["comparison"]["auroc"])


def test_the_hold_out_that_judges_is_less_whom_the_champion_was_trained_on(nights):
    comparison = considered(nights, "alike").comparison
    (old, old_test), (new, test) = (split_of(taken_up(nights, name)) for name in ("one", "alike"))
    trained = set(old.subject[~old_test])
    judges = np.array([name not in trained for name in new.subject[test]])
    assert (comparison["n"], comparison["left_out"]) == (judges.sum(), (~judges).sum())
    assert comparison["events"] == new.event[test][judges].sum() >= 15
    assert 0.9 < comparison["n"] / test.sum() <= 1, "the hold-out lasts from night to night"


def test_a_worse_run_is_kept_out_and_the_log_says_by_how_much(nights):
    before = nights.state()
    decision = considered(nights, "worse")
    assert (decision.action, decision.champion) == ("kept", "one")
    assert "Worse than the champion in AUROC" in decision.reason
    log, *others = nights.state()
    assert others == list(before[1:])
    assert log.startswith(before[0])
    assert nights.lines()[-1]["comparison"]["auroc"]["value"] < -0.1


@pytest.mark.parametrize("status", ["fail", "invalid"])
def test_a_run_whose_gates_failed_is_refused(status, nights):
    night = taken_up(nights, "gates")
    manifest = json.loads((night.folder / "manifest.json").read_text())
    (night.folder / "manifest.json").write_text(json.dumps(manifest | {"status": status}))
    decision = nights.consider(night)
    assert (decision.action, decision.champion, nights.champion) == ("refused", "one", "one")
    assert ("gate" if status == "fail" else "validation") in decision.reason


def test_a_study_whose_first_runs_fail_has_no_champion(tmp_path):
    nights = Nights(tmp_path / "runs")
    assert nights.consider(nights.night("a", n=300, status="fail")).champion is None
    assert not (nights.study / "champion").exists()
    assert nights.consider(nights.night("b", n=300, status="warn")).champion == "b"


@pytest.mark.parametrize("run_id", ["one", "worse", "gates"])
def test_the_same_run_again_changes_nothing_and_writes_nothing(run_id, nights):
    considered(nights, run_id)
    before = {path: path.lstat().st_mtime_ns for path in nights.study.iterdir()}
    decision = considered(nights, run_id)
    assert (decision.action, decision.champion) == ("unchanged", "one")
    assert {path: path.lstat().st_mtime_ns for path in nights.study.iterdir()} == before


def test_the_same_model_in_another_run_needs_no_comparison(nights):
    decision = nights.consider(nights.night("again"))
    assert (decision.action, decision.comparison) == ("promoted", None)
    assert "champion's own model" in decision.reason
    assert nights.champion == "again"


def test_a_former_champion_does_not_return_by_itself(nights):
    considered(nights, "alike")
    decision = considered(nights, "one")
    assert (decision.action, nights.champion) == ("kept", "alike")
    assert "Only a person" in decision.reason


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"n": 1520, "first": 0, "seed": 5}, None),  # another split: the old training patients are left out, enough are left
        ({"n": 150, "first": 4000}, "at least 15 events are needed"),
        ({"settings": config(subject_id=None, group=None)}, "the study changed since: subject_id, group"),
        ({"settings": config(outcome={"column": "died", "event": 0})}, "the study changed since: outcome"),
    ],
    ids=["another split", "few events", "other names", "other outcome"],
)
def test_where_nobody_can_tell_the_champion_stays(options, said, nights):
    decision = nights.consider(nights.night("odd", **options))
    if said is None:
        assert decision.comparison["left_out"] > 200
        return
    assert (decision.action, nights.champion) == ("kept", "one")
    assert said in decision.reason


def test_rows_without_names_cannot_be_told_from_those_the_champion_was_trained_on(tmp_path):
    nights = Nights(tmp_path / "runs")
    nameless = config(subject_id=None)
    nights.consider(nights.night("a", settings=nameless))
    assert nights.consider(nights.night("b", n=1530, settings=nameless)).comparison["n"] > 300  # families have names
    alone = config(subject_id=None, group=None)
    last = nights.night("c", settings=alone)
    promote(last.folder, reason="no families any more")
    cohort, test = split_of(last)
    cohort = replace(cohort, group_name=np.full(len(cohort), None))
    night = nights.night("d", n=1530, settings=alone)
    held = tmp_path / "split"
    held.mkdir()
    save_cohort(held, cohort, test)
    decision = nights.consider(type(night)(night.config, night.folder, {**night.folders, "split": held}))
    assert decision.action == "kept"
    assert "patients in the hold-out, 0 with 0 events are none that the champion was trained on" in decision.reason


@pytest.mark.parametrize("damage", ["gone", "flipped", "columns", "format"])
def test_a_champion_whose_model_cannot_be_used_stays_and_a_person_is_told(damage, nights):
    night = taken_up(nights, "alike")
    old = taken_up(nights, "one").folders["model"]
    if damage == "gone":
        shutil.rmtree(old)
    elif damage == "flipped":
        (old / "model.json").write_text((old / "model.json").read_text().replace("none", "nine", 1))
    elif damage == "columns":
        units = {"columns": {**COLUMNS, "severity": {"kind": "continuous", "unit": "mm"}}}
        night = nights.night("units", n=1530, settings=config(columns=units))
    before = nights.state()
    decision = nights.consider(night) if damage != "format" else _of_another_version(nights, night)
    assert (decision.action, decision.champion) == ("kept", "one")
    assert decision.warning == f"The champion one of small stays. {decision.reason}"
    words = {
        "gone": "is not in the store",
        "flipped": "is damaged",
        "columns": "its columns severity are other",
        "format": "must have format",
    }
    assert words[damage] in decision.reason
    assert nights.state()[1:] == before[1:]


def _of_another_version(nights, night):
    with pytest.MonkeyPatch.context() as patch:
        load = load_deployed

        def only_new(folder):
            if folder == night.folders["model"]:
                return load(folder)
            patch.setattr("mgvae.evaluation.deployed_model.FORMAT", 2)
            return load(folder)

        patch.setattr("flows.runs.comparison.load_deployed", only_new)
        return nights.consider(night)


class UnluckyError(Exception):
    pass


@pytest.mark.parametrize("error", [UnluckyError(), KeyboardInterrupt(), SystemExit(143)], ids=repr)
@pytest.mark.parametrize(
    "place",
    [
        "flows.runs.comparison.contest",
        "flows.runs.champion.rule",
        "flows.runs.champion.note_champions",
        "json.dumps",
    ],
)
def test_what_goes_wrong_before_the_log_is_written_leaves_everything_in_place(place, error, nights, monkeypatch):
    before, night = nights.state(), taken_up(nights, "alike")

    def fail(*arguments, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        with pytest.raises(type(error)):
            nights.consider(night)
    assert nights.state() == before
    assert nights.consider(night).champion == "alike"


@pytest.mark.parametrize("next_run", ["alike", "worse"])
def test_a_process_killed_between_log_and_link_leaves_the_old_champion_and_the_next_one_mends_it(next_run, nights, monkeypatch):
    before = nights.state()

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(championship, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            considered(nights, "alike")
    assert nights.state()[1:] == before[1:]
    assert nights.lines()[-1]["run_id"] == "alike"
    decision = considered(nights, next_run)
    assert decision.champion == nights.champion == "alike"
    assert [line["run_id"] for line in nights.lines()] == ["one", "alike"] + (["worse"] if next_run == "worse" else [])


def test_a_half_written_line_is_cut_off_and_told(nights):
    log = nights.study / "audit.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"action": "promoted", "run_id": "al')
    assert considered(nights, "alike").champion == "alike"
    assert log.read_bytes().startswith(whole + b"{")
    assert nights.lines()[-1]["note"] == "A half-written line of 36 bytes was cut off."
    assert read(nights.study)[1] == []


def test_a_full_disk_leaves_log_and_link_as_they_were(nights, monkeypatch):
    before = nights.state()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StoreError, match="writable with space left; No space left"):
        considered(nights, "alike")
    assert nights.state() == before


def test_a_change_in_the_log_is_seen_and_nothing_is_built_on_it(nights):
    considered(nights, "worse")
    log = nights.study / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b"first run", b"best  run", 1))
    before = nights.state()
    for act in (lambda: considered(nights, "alike"), lambda: promote(nights.study / "alike", reason="x")):
        with pytest.raises(StoreError, match=r"audit.jsonl must be as it was written; line 2 .* hashes differ"):
            act()
    assert nights.state() == before
    log.write_bytes(b"[]\n")
    with pytest.raises(StoreError, match="line 1 cannot be read"):
        considered(nights, "alike")


def test_a_lost_log_is_told_and_only_a_person_begins_anew(nights):
    (nights.study / "audit.jsonl").unlink()
    with pytest.raises(StoreError, match="must tell how one became champion; it is lost"):
        considered(nights, "alike")
    assert nights.champion == "one"
    change = promote(nights.study / "one", reason="the log was lost")
    assert (change.note, nights.champion) == ("There was no audit.jsonl.", "one")
    assert considered(nights, "alike").action == "promoted"


def test_names_in_the_log_lead_nowhere_else(nights):
    log = nights.study / "audit.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"run_id": "one"', b'"run_id": "../one"'))
    with pytest.raises(StoreError, match="line 1 cannot be read"):
        considered(nights, "alike")


def test_writers_at_the_same_time_take_turns(tmp_path):
    def add(number):
        with opened(tmp_path) as log:
            return log.append(Change("kept", f"run{number}", None, "x" * 5000, "rule", None, {}))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    changes, wrong = read(tmp_path)
    assert wrong == []
    assert sorted(change.run_id for change in changes) == sorted(f"run{number}" for number in range(40))


def test_a_log_that_is_a_link_is_not_written_through(nights, tmp_path):
    log = nights.study / "audit.jsonl"
    log.rename(tmp_path / "elsewhere")
    log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"audit\.jsonl must be writable"):
        considered(nights, "alike")


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


def test_a_champion_whose_run_folder_is_gone_is_told(nights):
    shutil.rmtree(nights.study / "one")
    decision = considered(nights, "worse")
    assert (decision.action, decision.champion) == ("kept", "one")
    assert "small/one of the champion is missing or damaged" in decision.warning


def test_no_patient_in_the_log(nights):
    for run_id in ("alike", "worse", "gates"):
        considered(nights, run_id)
    text = (nights.study / "audit.jsonl").read_text()
    assert "zebra" not in text
    assert "family-" not in text
