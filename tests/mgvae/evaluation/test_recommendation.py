"""The rule: no correction wins ties, luck among many arms, bad calibration and few events; a real gain wins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.special import expit

from flows.study.report_assembly import evaluation_summary
from mgvae.config.study import CohortConfig
from mgvae.evaluation.bootstrap import resamples
from mgvae.evaluation.curves import curves_table
from mgvae.evaluation.evidence import LUCK
from mgvae.evaluation.intervals import Score
from mgvae.evaluation.predictions import Predictions
from mgvae.evaluation.recommendation import rule
from mgvae.evaluation.summary import arms_table, contrasts, critical_value, score
from mgvae.results.evaluation import ArmScores, EvaluationResult
from tests.mgvae.evaluation.results import evaluate, plain, recommend
from tests.mgvae.evaluation.simulated_cohort import simulated

LR = "logistic_regression"


def judged(signals: dict[str, float], *, n: int = 4000, repeats: int = 2, seed: int = 0, distort: float = 1.0) -> dict:
    """Evaluate arms that see the truth with a given strength; ``distort`` turns the slope of all but none."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=n)
    event = (rng.random(n) < expit(-3 + 1.5 * truth)).astype(np.int64)
    probability = {}
    for arm, strength in signals.items():
        noise = np.random.default_rng(seed + 1).normal(size=(repeats, n))
        seen = strength * truth + np.sqrt(1 - strength**2) * noise
        turn = distort if arm != "none" else 1.0
        values = expit(turn * (-3 + 1.5 * strength * seen + 0.5 * 1.5**2 * (1 - strength**2) * 0.3))
        for variant in ("raw", "offset", "recalibrated"):
            probability[arm, LR, variant] = values
    predictions = Predictions(
        event, np.arange(n), np.zeros((repeats, n), dtype=np.int16), np.full((repeats, n), event.mean()), probability, {}
    )
    scores = score(predictions, resamples(event, predictions.group, n=200, seed=0))
    return {
        "arms": TypeAdapter(ArmScores).dump_python(arms_table(scores), mode="json"),
        "contrasts": plain(contrasts(scores)),
        "events": int(event.sum()),
        "prevalence": float(event.mean()),
    }


def test_no_correction_wins_an_exact_tie():
    chosen = recommend(judged({"none": 0.8, "smote": 0.8, "mgvae": 0.8}), relevant_gain=0.02)
    assert (chosen["arm"], chosen["classifier"]) == ("none", LR)
    assert chosen["difference"]["value"] == 0
    assert "too little is left of its gain" in chosen["reason"]


def test_a_clear_gain_is_recommended_with_its_difference():
    chosen = recommend(judged({"none": 0.6, "smote": 0.6, "mgvae": 0.9}), relevant_gain=0.02)
    assert chosen["arm"] == "mgvae"
    assert chosen["difference"]["arm"] == "mgvae"
    assert 0 < chosen["difference"]["family_low"] < chosen["difference"]["low"] + 0.02
    assert chosen["threshold"]["value"] == pytest.approx(0.09, abs=0.04)


def test_a_loss_is_not_recommended():
    assert recommend(judged({"none": 0.9, "smote": 0.6}), relevant_gain=0.02)["arm"] == "none"


def test_a_barred_arm_is_not_recommended_and_another_winner_is():
    evaluation = judged({"none": 0.5, "smote": 0.85, "mgvae": 0.9})
    assert recommend(evaluation, relevant_gain=0.02)["arm"] == "mgvae"
    chosen = recommend(evaluation, relevant_gain=0.02, barred={"mgvae": "gate 'separation' failed"})
    assert chosen["arm"] == "smote"
    assert recommend(evaluation, relevant_gain=0.02, barred=dict.fromkeys(["mgvae", "smote"], "gate"))["arm"] == "none"


def test_a_gain_in_ranking_does_not_excuse_ruined_probabilities():
    chosen = recommend(judged({"none": 0.6, "mgvae": 0.9}, distort=2.5), relevant_gain=0.02)
    assert chosen["arm"] == "none"
    assert "calibration slope" in chosen["reason"] or "scaled Brier" in chosen["reason"]


def test_few_events_show_nothing():
    evaluation = {**judged({"none": 0.6, "mgvae": 0.9}), "events": 14}
    chosen = recommend(evaluation, relevant_gain=0.02)
    assert chosen["arm"] == "none"
    assert "with 14 events" in chosen["reason"]


def test_undefined_numbers_never_win():
    evaluation = judged({"none": 0.6, "mgvae": 0.9})
    evaluation["arms"]["mgvae"][LR]["recalibrated"]["calibration_slope"] = {"value": None, "low": None, "high": None}
    assert recommend(evaluation, relevant_gain=0.02)["arm"] == "none"


def test_alone_it_recommends_no_correction():
    chosen = recommend(judged({"none": 0.6, "threshold": 0.6}), relevant_gain=0.02)
    assert (chosen["arm"], chosen["difference"]["value"]) == ("none", None)


def test_the_family_limit_grows_with_the_number_of_arms_and_ignores_copies():
    rng = np.random.default_rng(0)
    gains = [Score(np.zeros(1), rng.normal(size=4000)) for _ in range(20)]
    one, many = critical_value(gains[:1]), critical_value(gains)
    assert one == pytest.approx(1.96, abs=0.12)
    assert many == pytest.approx(3.02, abs=0.15)  # normal quantile at 0.975 ** (1 / 20)
    assert critical_value([gains[0]] * 5) == pytest.approx(one)
    assert critical_value([Score(np.zeros(1), np.zeros(10))]) == 0


def test_luck_among_many_useless_arms_is_rare():
    """Under no difference the rule recommends some arm in at most about 2.5 % of studies."""
    rng = np.random.default_rng(5)
    false = 0
    for _ in range(400):
        centre = rng.normal(size=12)
        gains = [Score(np.array([value]), value + rng.normal(size=400)) for value in centre]
        critical = critical_value(gains)
        false += any(gain.value - critical * gain.draws.std(ddof=1) > 0 for gain in gains)
    assert false / 400 < 0.055


def test_the_rule_states_its_numbers():
    text = rule(0.03)
    assert f"in {LUCK:.0%} of studies" in text
    assert "standard deviations 0.01 with weight 0.8 and 0.1 with weight 0.2), is at least 0.015;" in text
    assert "outside 0.8-1.25" in text
    assert "a true gain of 0.03 in AUROC with a power of 80%" in text
    assert "wins ties" in text
    assert "  " not in text
    assert "Deploy" not in text


@pytest.fixture(scope="module")
def whole() -> tuple[CohortConfig, dict]:
    columns = {"id": {"kind": "count", "role": "identifier"}, "age": {"kind": "continuous"}}
    settings = {"arms": ["none", "class_weight", "threshold", "smote"], "folds": 3, "repeats": 2, "bootstrap": 60}
    config = CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": columns},
            "evaluation": settings,
        }
    )
    return config, evaluate(simulated(900, group_size=2), simulated(300, seed=9), config)


def test_the_whole_evaluation_is_json_and_complete(whole):
    config, evaluation = whole
    again = json.loads(json.dumps(evaluation, allow_nan=False))
    for block in (again, again["holdout"]):
        assert set(block["arms"]) == set(config.evaluation.arms)
        for classifiers in block["arms"].values():
            assert set(classifiers) == set(config.evaluation.classifiers)
            assert all(set(variants) == {"raw", "offset", "recalibrated"} for variants in classifiers.values())
    assert (again["n"], again["folds"], again["holdout"]["n"]) == (900, 3, 300)
    assert "none" not in again["differences"]


def test_recalibration_brings_weighted_probabilities_back(whole):
    _, evaluation = whole
    weighted, plain = (evaluation["arms"][arm][LR] for arm in ("class_weight", "none"))
    assert weighted["raw"]["observed_expected"]["value"] < 0.4
    assert weighted["recalibrated"]["observed_expected"]["value"] == pytest.approx(1, abs=0.2)
    assert weighted["raw"]["balanced_accuracy"]["value"] > plain["raw"]["balanced_accuracy"]["value"] + 0.1
    assert plain["offset"]["auroc"] == plain["raw"]["auroc"]


def test_moving_the_threshold_gives_the_balanced_accuracy_of_weights_for_nothing(whole):
    _, evaluation = whole
    moved, weighted = (
        evaluation["arms"][arm][LR]["raw"]["balanced_accuracy"]["value"] for arm in ("threshold", "class_weight")
    )
    assert moved == pytest.approx(weighted, abs=0.04)
    assert all(one["value"] == 0 for one in evaluation["differences"]["threshold"][LR].values())


def test_the_report_takes_the_facts(whole):
    config, evaluation = whole
    facts = evaluation_summary(EvaluationResult.model_validate(evaluation), config)
    assert facts.bootstrap == 60
    low, *_, high = evaluation["decision_curves"]["thresholds"]
    assert facts.thresholds["Decision thresholds of the net benefit"].startswith(f"{low:.2%} to {high:.2%}")
    assert "Each fit learned from" not in facts.thresholds
    few = config.model_copy(update={"evaluation": config.evaluation.model_copy(update={"majority_rows": 100})})
    found = evaluation_summary(EvaluationResult.model_validate(evaluation), few).thresholds
    assert "at most 100 of the" in found["Each fit learned from"]
    assert plain(facts)["decision_curves"] == evaluation["decision_curves"]
    assert plain(facts)["arms"] == evaluation["arms"]
    assert plain(facts)["holdout"] == evaluation["holdout"]["arms"]
    assert recommend(evaluation, relevant_gain=config.evaluation.relevant_gain)["arm"] == "none"


def test_curves_count_each_subject_once(whole):
    _, evaluation = whole
    for classifiers in evaluation["curves"].values():
        for variants in classifiers.values():
            for points in variants.values():
                assert sum(points["n"]) == pytest.approx(900)
                assert sum(points["risks"]["events"]) + sum(points["risks"]["others"]) == pytest.approx(900)


def test_without_a_usable_test_part_there_is_no_holdout():
    config = CohortConfig.model_validate(
        {
            "study": "s",
            "extract": "e",
            "subject_id": "id",
            "outcome": {"column": "y"},
            "columns": {"columns": {"id": {"kind": "count", "role": "identifier"}, "age": {"kind": "continuous"}}},
            "evaluation": {"arms": ["none"], "classifiers": [LR], "folds": 2, "repeats": 1, "bootstrap": 50},
        }
    )
    evaluation = evaluate(simulated(300), None, config)
    assert evaluation["holdout"] is None
    assert evaluation_summary(EvaluationResult.model_validate(evaluation), config).holdout == {}
    assert recommend(evaluation, relevant_gain=0.02)["arm"] == "none"


def test_curves_of_every_variant_are_there():
    predictions = Predictions(
        np.tile([0, 0, 0, 1], 50),
        np.arange(200),
        np.zeros((1, 200), dtype=np.int16),
        np.full((1, 200), 0.25),
        {("none", LR, "raw"): np.linspace(0.01, 0.6, 200)[None]},
        {},
    )
    plan = resamples(predictions.event, predictions.group, n=50, seed=0)
    assert len(curves_table(predictions, plan)["none"][LR]["raw"].predicted) == 10
