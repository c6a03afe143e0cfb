"""The files of a simulated study: same bytes, bounded memory, all or nothing, and no true risk among the predictors."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from scipy.special import logit

from mgvae.config.study import load_config
from mgvae.errors import ConfigError
from mgvae.extract.read import read_extract
from mgvae.simulation import write
from mgvae.simulation.children import BLOCK
from mgvae.simulation.study_files import cohort_text
from mgvae.simulation.write import FILES, write_study


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a folder with 400 simulated children."""
    out = tmp_path_factory.mktemp("simulated") / "study"
    write_study(out, 400, seed=3)
    return out


def test_the_same_seed_gives_the_same_bytes(study, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    write_study(again, 400, seed=3)
    assert files(again) == files(study)
    write_study(other, 400, seed=4)
    assert files(other)["truth.parquet"] != files(study)["truth.parquet"]


def test_the_first_rows_do_not_depend_on_n(study, tmp_path):
    write_study(tmp_path / "few", 30, seed=3)
    for name in ("extract.parquet", "truth.parquet"):
        assert parquet.read_table(tmp_path / "few" / name).equals(parquet.read_table(study / name).slice(0, 30))


@pytest.mark.slow
def test_the_dictionary_describes_the_extract_and_the_truth_lies_outside(study):
    config = load_config(study / "cohort.yaml")
    names = parquet.read_schema(study / "extract.parquet" / "part-00000.parquet").names
    assert names == list(config.columns.columns)
    assert len(names) == 2005
    assert not {"risk", "log_odds"} & set(names)
    features = config.columns.features
    whole = parquet.read_table(study / "extract.parquet").to_pandas()
    assert set(features) == {name for name in names[5:] if whole[name].nunique() > 1}  # the others can predict nothing
    assert "dx_k59" in features
    truth = parquet.read_table(study / "truth.parquet").to_pandas()
    frame = read_extract(config).frame
    assert len(frame) == len(truth) == 400
    assert truth["log_odds"].to_numpy() == pytest.approx(logit(truth["risk"].to_numpy()))
    hidden = [name for name in config.columns.features if frame[name].nunique() > 390]
    assert all(abs(np.corrcoef(frame[name].fillna(0), truth["log_odds"])[0, 1]) < 0.5 for name in hidden)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(write, "GROUPS_PER_PART", 2)
    held = []

    def note(done):
        held.append((done, tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes()))
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        write_study(tmp_path / "out", 4 * BLOCK + 1, advance=note)
    finally:
        tracemalloc.stop()
    assert [done for done, _ in held] == [BLOCK, 2 * BLOCK, 3 * BLOCK, 4 * BLOCK, 4 * BLOCK + 1]
    sizes = [size for _, size in held]
    assert max(sizes[1:4]) < 1.2 * sizes[0]
    parts = sorted((tmp_path / "out" / "extract.parquet").iterdir())
    assert [parquet.read_metadata(part).num_rows for part in parts] == [2 * BLOCK, 2 * BLOCK, 1]
    assert parquet.read_metadata(parts[0]).num_row_groups == 2


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"n": 0}, "--n must be at least 1 child; got 0"),
        ({"n": -5}, "--n must be at least 1 child; got -5"),
        ({"n": 5, "seed": -1}, "--seed must be from 0 to 4294967295; got -1"),
        ({"n": 5, "seed": 2**32}, "--seed must be from 0"),
        ({"n": 5, "prevalence": 0.0009}, r"--prevalence must be from 0\.001 to 0\.5; got 0\.0009"),
        ({"n": 5, "prevalence": 0.51}, "--prevalence must be from"),
        ({"n": 5, "prevalence": float("nan")}, "--prevalence must be from"),
    ],
)
def test_orders_that_cannot_be_met(order, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        write_study(tmp_path / "out", **order)
    assert not (tmp_path / "out").exists()


def test_nothing_is_replaced_unasked(tmp_path):
    out = tmp_path / "out"
    write_study(out, 5)
    before = files(out)
    with pytest.raises(ConfigError, match="is there already and is not replaced"):
        write_study(out, 6)
    assert files(out) == before
    write_study(out, 6, force=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert parquet.read_metadata(out / "truth.parquet").num_rows == 6


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="must be a folder; it is a file"):
        write_study(tmp_path / "file", 5)
    with pytest.raises(ConfigError, match="must be writable with space left; Not a directory"):
        write_study(tmp_path / "file" / "below", 5)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "extract.parquet").write_text("")
    with pytest.raises(ConfigError, match="must be what an earlier simulation wrote"):
        write_study(tmp_path / "odd", 5, force=True)


def test_a_stopped_simulation_leaves_nothing(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_study(tmp_path / "out", 5, advance=stop)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_all_predictors_of_a_large_extract_vary(tmp_path):
    """What occurs in one block alone counts, whichever it is."""
    write_study(tmp_path / "one", BLOCK, seed=1)
    write_study(tmp_path / "two", 2 * BLOCK, seed=1)
    one, two = (set(load_config(tmp_path / name / "cohort.yaml").columns.features) for name in ("one", "two"))
    assert one < two
    frame = parquet.read_table(tmp_path / "two" / "extract.parquet").to_pandas()
    assert two == {name for name in frame.columns[5:] if frame[name].nunique() > 1}


@pytest.mark.parametrize(("n", "prevalence", "low", "high"), [(50_000, 0.02, 0.01, 0.04), (100, 0.02, 0.0, 0.076)])
def test_the_expected_prevalence_leaves_room_for_chance(n, prevalence, low, high):
    text = cohort_text(n, seed=0, prevalence=prevalence)
    assert f"  expected_prevalence: [{low:g}, {high:g}]\n" in text
