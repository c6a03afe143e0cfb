"""The harness on a small simulated table: folds, the file of results, what is printed."""

import json
import stat

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, brier_score_loss, roc_auc_score

from tests.benchmarks.oversamplers import arms, fingerprints, study
from tests.benchmarks.oversamplers.cohorts import Table
from tests.benchmarks.oversamplers.printing import report
from tests.benchmarks.oversamplers.results import Result, read
from tests.benchmarks.oversamplers.scoring import CLASSIFIERS, score

ARMS = ["none", "random_oversampling", "smote"]


@pytest.fixture
def table():
    draws = np.random.default_rng(0)
    n = 240
    x = draws.normal(size=(n, 3))
    features = pd.DataFrame(x, columns=["a", "b", "c"]).mask(draws.random((n, 3)) < 0.05)
    features["ward"] = pd.Categorical.from_codes(draws.integers(-1, 3, n), categories=["A", "B", "C"])
    event = x[:, 0] + draws.normal(size=n) > 1.7
    return Table("simulated", features, event, np.arange(n) // 2)


def run(table, path, names=ARMS, classifiers=CLASSIFIERS["library"], **options):
    return study.run(
        [table], names, seeds=1, ablation_seeds=1, n_folds=3, classifiers=classifiers, path=path, jobs=1, **options
    )


def test_results_are_kept_and_reused(table, tmp_path, capsys, monkeypatch):
    path = tmp_path / "new" / "results.jsonl"
    first = run(table, path)
    assert len(first) == 9
    assert "9/9 simulated smote seed 0 fold 2" in capsys.readouterr().err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setattr(study, "measure", lambda *_: pytest.fail("measured again"))
    assert run(table, path) == first


def test_another_table_classifier_or_arm_is_measured_again(table, tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    run(table, path, ["none"])
    other = Table(table.name, table.features.assign(a=table.features["a"] + 1), table.event, table.group)
    assert run(other, path, ["none"], measuring=False) == []
    with monkeypatch.context() as patch:
        patch.setattr(study, "of_classifier", lambda _: "other")
        assert run(table, path, ["none"], measuring=False) == []
    assert len(run(table, path, ["none"], measuring=False)) == 3
    monkeypatch.setattr(arms, "of_arm", lambda _: "other")
    assert run(table, path, ["none"], measuring=False) == []


def test_a_classifier_is_added_without_measuring_the_others_again(table, tmp_path):
    path = tmp_path / "results.jsonl"
    run(table, path, ["none"])
    results = run(table, path, ["none"], CLASSIFIERS["both"])
    assert all(set(result.scores) == set(CLASSIFIERS["both"]) for result in results)
    last = json.loads(path.read_text().splitlines()[-1])
    assert [label.partition("@")[0] for label in last["scores"]] == ["hist_gradient_boosting_sklearn"]
    assert len(read(path)) == 3


def test_an_arm_that_fails_is_named_without_its_message(table, tmp_path, capsys, monkeypatch):
    def fails(*_):
        raise ValueError("patient 17 is odd")

    monkeypatch.setattr(study, "measure", fails)
    assert run(table, tmp_path / "results.jsonl", ["none"]) == []
    err = capsys.readouterr().err
    assert "failed with ValueError" in err
    assert "17 is odd" not in err


def test_fingerprints_tell_classifiers_and_arms_apart_and_stay():
    classifiers = [fingerprints.of_classifier(name) for name in CLASSIFIERS["both"]]
    simple = [fingerprints.of_arm(arm) for arm in arms.LIBRARY]
    assert len(set(classifiers)) == 3
    assert len(set(simple)) == 4
    fingerprints.of_classifier.cache_clear()
    assert classifiers == [fingerprints.of_classifier(name) for name in CLASSIFIERS["both"]]


def test_folds_keep_groups_together_and_hold_each_row_once(table):
    splits = study.split(table, n_folds=3, seed=0)
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(table.event)))
    assert all(not set(table.group[train]) & set(table.group[test]) for train, test in splits)


def test_scores_are_scikit_learns():
    draws = np.random.default_rng(1)
    event = (draws.random(200) < 0.3).astype(int)
    probability = np.round(draws.random(200), 2)
    got = score(event, probability)
    assert got["auroc"] == pytest.approx(roc_auc_score(event, probability))
    assert got["auprc"] == pytest.approx(average_precision_score(event, probability))
    assert got["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(event, probability >= 0.5))
    assert got["brier"] == pytest.approx(brier_score_loss(event, probability))
    assert (got["events"], got["expected"]) == pytest.approx((event.sum(), probability.sum()))


def test_the_report(table, tmp_path):
    results = run(table, tmp_path / "results.jsonl")
    text = report(results, [table], [*ARMS, "mgvae"], CLASSIFIERS["library"], seeds=1, ablation_seeds=1, n_folds=3)
    assert "== simulated, logistic_regression: 240 rows" in text
    assert "TARGET auprc: not measured" in text
    assert any(line.split() == ["mgvae", *"-" * 7] for line in text.splitlines())
    renamed = [*results, *(type(one)(**{**vars(one), "arm": "mgvae"}) for one in results if one.arm == "none")]
    text = report(renamed, [table], [*ARMS, "mgvae"], CLASSIFIERS["library"], seeds=1, ablation_seeds=1, n_folds=3)
    assert "TARGET auroc: met" in text
    assert "not compared with adasyn, tvae, ctgan" in text
    assert "Mean ranks in balanced accuracy, oversampling arms: 2 blocks" in text


def test_ablations_are_measured_on_fewer_seeds_and_compared_on_those(table):
    drawn = {"seeds": 2, "ablation_seeds": 1, "n_folds": 3}
    found = list(study.units([table], ["none", "mgvae", "mgvae_unmatched"], **drawn, classifiers=("logistic_regression",)))
    assert {arm: sum(unit.arm == arm for unit in found) for arm in ("none", "mgvae", "mgvae_unmatched")} == {
        "none": 6,
        "mgvae": 6,
        "mgvae_unmatched": 3,
    }
    scores = dict.fromkeys(("auroc", "auprc", "balanced_accuracy", "g_mean", "brier", "events", "expected"), 0.5)
    results = [
        Result(
            unit.cohort, unit.arm, unit.seed, unit.fold, 9, 9, 1.0, {"logistic_regression": scores | {"auprc": unit.seed / 10}}
        )
        for unit in found
    ]
    text = report(results, [table], ["none", "mgvae", "mgvae_unmatched"], ("logistic_regression",), **drawn)
    ranking = text.partition("AUPRC, the sampler and its ablations")[2]
    assert "mgvae                   1.50   mean 0.0000" in ranking  # of seed 0 alone, though its own mean is 0.05
