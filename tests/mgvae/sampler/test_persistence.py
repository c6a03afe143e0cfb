"""A saved sampler makes the same rows, holds no patient's row and no rare level, and is refused when damaged."""

from __future__ import annotations

import json
import pickle
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import mgvae.sampler.persistence
from mgvae import MGVAEOverSampler
from mgvae.errors import CheckpointError
from mgvae.sampler.column_types import FEWEST_ROWS
from mgvae.sampler.json_values import dtype_from_json, dtype_to_json, from_json, to_json
from tests.mgvae.sampler.sampler_tables import MAJORITY, every_dtype, labels, quick, small

COLUMNS = every_dtype()
FORMAT_1 = Path(__file__).parent / "format_1"  # with rows that the version which wrote it made of it
FILES = {"sampler.json", "sampler.safetensors"}


@pytest.fixture(scope="module")
def fitted():
    sampler = quick()
    sampler.fit_resample(small(), labels())
    return sampler


@pytest.fixture
def saved(fitted, tmp_path):
    return fitted.save(tmp_path / "sampler")


def test_a_loaded_sampler_makes_the_same_rows_of_every_dtype(tmp_path):
    table = pd.DataFrame(COLUMNS)
    sampler = quick(plausibility="matched")
    sampler.fit_resample(table, labels())
    loaded = MGVAEOverSampler.load(sampler.save(tmp_path / "deep" / "sampler"))
    for majority in (table.iloc[:MAJORITY], table.iloc[:5]):
        rows, parents = sampler.sample(majority, 20, random_state=1)
        again, likewise = loaded.sample(majority, 20, random_state=1)
        pd.testing.assert_frame_equal(rows, again)
        assert (parents == likewise).all()
        assert rows.dtypes.equals(table.dtypes)


def test_all_that_was_learned_is_kept(tmp_path):
    y = np.repeat(["common", "rare", "rarer"], [60, 20, 10])
    sampler = quick({"rare": 40, "rarer": 60}, hidden=(8, 4), categorical_features=["b"], random_state=4)
    sampler.fit_resample(small(90), y)
    loaded = MGVAEOverSampler.load(sampler.save(tmp_path))
    assert loaded.get_params() == {**sampler.get_params(), "categorical_features": ("b",)}
    assert loaded.sampling_strategy_ == sampler.sampling_strategy_
    assert loaded.classes_.tolist() == sampler.classes_.tolist()
    assert loaded.history_ == sampler.history_
    assert list(loaded.translators_) == list(sampler.translators_) == ["rarer", "rare"]
    assert loaded.n_features_in_ == 3
    assert loaded.feature_names_in_.tolist() == ["a", "b", "c"]
    for label in ("rare", "rarer", None):
        rows = [known.sample(small(90), 9, label=label)[0] for known in (sampler, loaded)]
        pd.testing.assert_frame_equal(*rows)
    assert len(loaded.fit_resample(small(90), y)[0]) == 160


def _table_of_format_1():
    rng = np.random.default_rng(0)
    whole, word = rng.integers(0, 50, 60), np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, 60)]
    word[:3] = "rare"
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(whole, unit="D"))
    missing = whole % 7 == 0
    return pd.DataFrame(
        {
            "number": pd.Series(rng.normal(size=60)).mask(missing),
            "count": pd.Series(whole).astype("Int64").mask(missing),
            "text": pd.Series(word, dtype="str"),
            "ordered": pd.Categorical(word, categories=["rare", "c", "b", "a"], ordered=True),
            "flag": whole > 20,
            "date": day.astype("datetime64[us]").dt.tz_localize("Europe/Berlin"),
            "object": pd.Series([None if none else int(at) for none, at in zip(missing, whole, strict=True)], dtype=object),
        }
    )


def test_a_sampler_saved_by_an_earlier_version_makes_the_same_rows():
    table = _table_of_format_1()
    loaded = MGVAEOverSampler.load(FORMAT_1)
    rows, parents = loaded.sample(table.iloc[:48], 12, random_state=1)
    assert rows.dtypes.equals(table.dtypes)
    expected = pd.read_csv(FORMAT_1 / "expected.csv")
    assert parents.tolist() == expected.pop("parent").tolist()
    np.testing.assert_allclose(rows.pop("number"), expected.pop("number"), rtol=1e-9)
    expected["count"], expected["object"] = expected["count"].astype("Int64"), expected["object"].astype("Int64")
    assert rows.astype(str).replace("None", "<NA>").to_numpy().tolist() == expected.astype(str).to_numpy().tolist()
    assert loaded.history_["finetune"][1]["ewc_lambda"] == 1.0


@pytest.mark.parametrize("change", [{"limits": [0, 2**60]}, {"type": "steps", "plain": "uint64"}])
def test_a_saved_column_of_large_whole_numbers_is_refused(saved, change):
    handlers = json.loads((saved / "sampler.json").read_text())["handlers"]
    _edit(handlers=[{**handlers[0], **change}, *handlers[1:]])(saved)
    with pytest.raises(CheckpointError, match=r"no column of whole numbers of 2\^53 or more"):
        MGVAEOverSampler.load(saved)


@pytest.mark.parametrize("strategy", ["auto", 0.5, {1: 30}])
@pytest.mark.parametrize("state", [None, 3, np.random.RandomState(0)])
def test_parameters_survive(tmp_path, strategy, state):
    sampler = quick(strategy, random_state=state, epochs=1, finetune_epochs=1)
    sampler.fit_resample(small(), labels())
    loaded = MGVAEOverSampler.load(sampler.save(tmp_path))
    assert loaded.sampling_strategy == strategy
    assert loaded.random_state == (None if isinstance(state, np.random.RandomState) else state)


@pytest.mark.parametrize(
    "names",
    [[1, 2, 3], [0, "a", None], pd.MultiIndex.from_tuples([("x", 1), ("x", 2), ("y", 1)]), pd.date_range("2020", periods=3)],
)
def test_column_names_survive(tmp_path, names):
    sampler = quick()
    table = small().set_axis(names, axis=1)
    sampler.fit_resample(table, labels())
    rows, _ = MGVAEOverSampler.load(sampler.save(tmp_path)).sample(table, 3)
    assert rows.columns.equals(table.columns)


def test_files_are_the_owners_and_nothing_else_is_left(saved):
    assert {path.name for path in saved.iterdir()} == FILES
    assert stat.S_IMODE(saved.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in saved.iterdir()} == {0o600}


def test_saving_again_replaces(saved, fitted):
    before = (saved / "sampler.json").read_bytes()
    assert fitted.save(saved) == saved
    assert (saved / "sampler.json").read_bytes() == before
    assert {path.name for path in saved.iterdir()} == FILES


def test_nothing_is_pickled(monkeypatch, fitted, tmp_path):
    def refuse(*args, **given):
        raise AssertionError("pickle was used")

    for name in ("dump", "dumps", "load", "loads"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "save", refuse)
    monkeypatch.setattr(torch, "load", refuse)
    saved = fitted.save(tmp_path / "sampler")
    MGVAEOverSampler.load(saved)
    assert json.loads((saved / "sampler.json").read_text())["format"] == 1


def test_no_row_and_no_rare_level_is_in_the_files(tmp_path):
    rng = np.random.default_rng(0)
    n = 300
    names = np.array([f"Patient-{at // 2:04d}" for at in range(n)], dtype=object)
    village = np.where(np.arange(n) < FEWEST_ROWS - 1, "Smallville", np.where(np.arange(n) < 20, "Midtown", "Metropolis"))
    table = pd.DataFrame(
        {
            "name": pd.Series(names, dtype="str"),
            "category": pd.Categorical(names),
            "village": pd.Categorical(village, categories=["Smallville", "Metropolis", "Midtown", "Nowhere"]),
            "object": pd.Series([(name, 1) for name in names], dtype=object),
            "ordered": pd.Categorical(village, categories=["Smallville", "Midtown", "Metropolis"], ordered=True),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
        }
    )
    sampler = quick()
    sampler.fit_resample(table, labels(270, 30))
    folder = sampler.save(tmp_path)
    text = (folder / "sampler.json").read_text() + (folder / "sampler.safetensors").read_bytes().decode("latin-1")
    assert "Patient-" not in text
    assert "Smallville" not in text
    assert "Nowhere" not in text
    assert "Metropolis" in text
    weights = (folder / "sampler.safetensors").read_bytes()
    for row in table[["x", "z"]].to_numpy():
        assert row.tobytes() not in weights
        assert row.astype("float32").tobytes() not in weights
    loaded = MGVAEOverSampler.load(folder)
    rows, _ = loaded.sample(table, 200)
    pd.testing.assert_frame_equal(rows, sampler.sample(table, 200)[0])
    assert rows.dtypes.equals(table.dtypes)
    assert rows["name"].isna().all()
    assert set(rows["village"]) <= {"Midtown", "Metropolis"}


def test_unseen_levels_and_missing_cells_are_translated_too(saved):
    loaded = MGVAEOverSampler.load(saved)
    X = small(20, seed=1).assign(c="unseen")
    X.loc[:3, ["a", "c"]] = None
    X.loc[5, "a"] = 1e9
    rows, _ = loaded.sample(X, 15)
    assert set(rows["c"]) <= {"red", "green", "blue"}
    assert rows["a"].between(*small()["a"].agg(["min", "max"])).all()


def test_loading_leaves_the_global_stream_alone(saved):
    before = torch.get_rng_state().clone()
    MGVAEOverSampler.load(saved)
    assert torch.equal(before, torch.get_rng_state())


def test_a_folder_with_something_else_is_refused(fitted, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="must be a new or empty folder, or hold a saved sampler"):
        fitted.save(tmp_path)
    with pytest.raises(CheckpointError, match="must be a new or empty folder"):
        fitted.save(tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_what_cannot_be_written_leaves_what_was_there(saved, fitted, monkeypatch):
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    monkeypatch.setattr(mgvae.sampler.persistence, "_tensors", lambda translators: {"x": torch.zeros(3)})
    monkeypatch.setattr("pathlib.Path.write_bytes", lambda *args: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(CheckpointError, match="must be writable with space left; No space left on device"):
        fitted.save(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_a_label_without_a_form_is_refused(fitted, tmp_path):
    sampler = quick(lambda y: {1: 20})
    sampler.fit_resample(small(), labels())
    with pytest.raises(CheckpointError, match="sampling_strategy no function"):
        sampler.save(tmp_path / "sampler")
    assert not (tmp_path / "sampler").exists()


def _edit(**changes):
    def edit(folder):
        path = folder / "sampler.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


def _rewrite(name, change):
    def rewrite(folder):
        (folder / name).write_bytes(change((folder / name).read_bytes()))

    return rewrite


DAMAGES = {
    "no folder": lambda folder: [path.unlink() for path in folder.iterdir()],
    "no weights": lambda folder: (folder / "sampler.safetensors").unlink(),
    "no description": lambda folder: (folder / "sampler.json").unlink(),
    "empty weights": _rewrite("sampler.safetensors", lambda content: b""),
    "cut weights": _rewrite("sampler.safetensors", lambda content: content[:-9]),
    "another's weights": _rewrite("sampler.safetensors", lambda content: content[:-4] + b"\0\0\0\0"),
    "cut description": _rewrite("sampler.json", lambda content: content[:-30]),
    "no JSON object": _rewrite("sampler.json", lambda content: b"[]"),
    "binary description": _rewrite("sampler.json", lambda content: b"\x80\x04\xff"),
    "another format": _edit(format=99),
    "unknown parameter": _edit(parameters={"bogus": 1}),
    "no handlers": _edit(handlers=None),
    "unknown handler": _edit(handlers=[{"type": "x"}] * 3),
    "other models": _edit(translators=[{"label": 1, "latent_dim": 3, "hidden": [9], "tied": False}]),
    "no encoding": _edit(encoding={}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_sampler_is_refused(saved, damage):
    DAMAGES[damage](saved)
    with pytest.raises(CheckpointError, match=r"must hold readable|must have format 1|do not fit|must be the file that"):
        MGVAEOverSampler.load(saved)


@pytest.mark.parametrize("name", COLUMNS)
def test_dtypes_and_values_survive_as_json(name):
    column = COLUMNS[name]
    assert dtype_from_json(json.loads(json.dumps(dtype_to_json(column.dtype)))) == column.dtype
    for value in column.iloc[:8].astype(object):
        again = from_json(json.loads(json.dumps(to_json(value))))
        assert again is value or again == value or (again != again and value != value)


def test_a_value_without_a_form_is_refused():
    with pytest.raises(ValueError, match="must be text, numbers, booleans or times; got complex"):
        to_json(1j)
