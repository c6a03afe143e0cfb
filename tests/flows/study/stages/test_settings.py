"""What a stage reads of the configuration, found by running it, is what its key holds: no less, and no more."""

from __future__ import annotations

import pytest

from flows.study.stage_runner import StageCall
from flows.study.stages.registry import DRIFT, STAGES
from mgvae.config.study import CohortConfig, load_config
from mgvae.store.artifact import Reference, digest
from tests.flows.simulated_study import COLUMNS, study_config, table, write_study

EVERY = (*STAGES, DRIFT)
LABELS = {"study", "title", "lookback_days", "horizon_days"}  # words for the reader, which no artifact of a stage holds
BESIDES = {"extract", "promotion"}  # the key holds the digest of its content instead, see the flow
CHANGES = {
    "study": "other",
    "title": "Other",
    "extract": "other.csv",
    "separator": ";",
    "encoding": "cp1252",
    "reviews": {"open": 1},
    "subject_id": None,
    "group": None,
    "index_date": None,
    "lookback_days": 30,
    "horizon_days": 30,
    "outcome": {"column": "died", "event": "no"},
    "columns": {"columns": {**COLUMNS, "visits": {"kind": "continuous"}}},
    "split": {"test_fraction": 0.4},
    "training": {"latent_dim": 2},
    "synthesis": {"prevalence": 0.3},
    "evaluation": {"relevant_gain": 0.1, "majority_rows": 100},
    "promotion": {"margin": 0.1},
    "attrition": [{"label": "Index events", "rows": 9, "subjects": 8, "events": 1}],
    "instability": {"redevelopments": 11},
    "learning_curve": {"repeats": 3},
    "gates": {"c2st_warn": 0.9},
    "drift": {"psi_fail": 0.5},
    "findings": {"mute": {"MGV203": "a pilot"}},
    "card": {"purpose": "to plan visits"},
    "stages": {"pretrain": "gpu"},
    "seed": 7,
}
UNREAD: dict[str, set[str]] = {}  # keyed without need: a change makes the stage run once more
READ: set[str] = set()


class Recording(CohortConfig):
    """A configuration that notes which of its keys are read."""

    def __getattribute__(self, name):
        if name in CHANGES:
            READ.add(name)
        return super().__getattribute__(name)

    def model_dump(self, **options):
        raise AssertionError("A stage that dumps its configuration reads all of it; this test cannot see what it uses.")

    def model_copy(self, **options):
        raise AssertionError("A stage that copies its configuration reads all of it; this test cannot see what it uses.")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    short = {f"training__{name}": 1 for name in ("pretrain_epochs", "finetune_epochs", "latent_dim")}
    folder = tmp_path_factory.mktemp("study")
    return load_config(write_study(folder, table(300, 30), evaluation__arms=["none"], **short))


@pytest.fixture(scope="module")
def read(config, tmp_path_factory):
    """Run every stage once; return the keys of the configuration that each one read."""
    recording = Recording.model_validate(dict(config))
    place, found = tmp_path_factory.mktemp("made"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgvae.evaluation.parallel.cores", lambda: 1)
        for stage in EVERY:
            (place / stage.name).mkdir()
            READ.clear()
            inputs = {name: place / ("validate" if name == "reference" else name) for name in stage.needs}
            stage.make(recording, inputs, place / stage.name)
            found[stage.name] = set(READ)
            assert any((place / stage.name).iterdir())
    return found


@pytest.fixture(scope="module")
def keyed(config):
    """Return for every stage the keys of the configuration whose change changes the stage's key."""

    def changed(name):
        undated = {"columns": {"columns": {**COLUMNS, "first_seen": {"kind": "date", "role": "excluded"}}}}
        values = {**dict(config), **(undated if name == "index_date" else {}), name: CHANGES[name]}
        return config.model_copy(update={name: getattr(CohortConfig.model_validate(values), name)})

    others = {name: changed(name) for name in CHANGES}
    plain = {stage.name: digest(stage.reads(config)) for stage in EVERY}
    return {
        stage.name: {name for name, other in others.items() if digest(stage.reads(other)) != plain[stage.name]}
        for stage in EVERY
    }


def test_every_key_of_the_configuration_is_changed():
    assert set(CHANGES) == set(CohortConfig.model_fields)


@pytest.mark.parametrize("stage", [stage.name for stage in EVERY])
def test_a_stage_is_keyed_by_all_that_it_reads(stage, read, keyed):
    assert read[stage] - BESIDES - LABELS <= keyed[stage]


@pytest.mark.parametrize("stage", [stage.name for stage in EVERY])
def test_a_stage_is_keyed_by_nothing_that_it_does_not_read(stage, read, keyed):
    assert keyed[stage] - read[stage] == UNREAD.get(stage, set())


@pytest.mark.parametrize("stage", EVERY, ids=lambda stage: stage.name)
def test_what_a_stage_reads_is_in_its_key(stage, config):
    inputs = {name: Reference(name, "a" * 64) for name in stage.needs}
    plain = StageCall(stage, config, inputs)
    assert plain.provenance["parameters"] == stage.reads(config)
    assert plain.key != StageCall(stage, config, inputs, {"extract_sha256": "b" * 64}).key


def test_the_horizon_is_read_where_patients_are_followed_to_it():
    columns = {**COLUMNS, "days": {"kind": "count", "role": "excluded"}}
    first = study_config(columns=columns, outcome__follow_up="days", horizon_days=300)
    second = first.model_copy(update={"horizon_days": 200})
    keyed = {stage.name for stage in EVERY if digest(stage.reads(first)) != digest(stage.reads(second))}
    assert {"validate", "split"} <= keyed
