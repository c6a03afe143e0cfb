"""Rules between columns in synthetic rows: kept by redrawing, calculation or repair, and free where there are none."""

import numpy as np
import pandas as pd
import pytest

import mgvae.generator.synthesis
from mgvae.cohort.rows import Rows
from mgvae.cohort.rules import NO_RULES, RowRules
from mgvae.config.dictionary import Column
from mgvae.config.rules import Rule
from mgvae.evaluation.arms import Recipe, treat
from mgvae.generator.plausibility import OVERSUPPLY, keep_plausible
from mgvae.generator.release import load_synthetic, save_synthetic
from mgvae.generator.resampling import portable_generator
from mgvae.generator.rules import RuleKeeper
from mgvae.generator.synthesis import encoded, new_model, synthesise
from mgvae.generator.translation import decode, draw_parents, translate
from mgvae.model.encoding import fit_encoding
from mgvae.reproducibility import derive
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import exemplar_log_weight
from mgvae.training.inputs import GeneratorInputs
from tests.mgvae.small_cohort import COLUMNS, levels, mixed, quick

pytestmark = pytest.mark.usefixtures("brief_judges")

MORE = {
    **COLUMNS,
    "smoker": Column(kind="binary", categories=("no", "yes")),
    "cigarettes": Column(kind="count"),
    "urban": Column(kind="count"),
    "rural": Column(kind="count"),
    "all": Column(kind="count", range=(0, 40)),
    "hdl": Column(kind="continuous"),
    "ldl": Column(kind="continuous"),
}
TEXTS = ("cigarettes > 0 implies smoker == yes", "urban + rural == all", "hdl <= ldl")
PANEL = Rule(missing_together=("hdl", "ldl"))


def table(n=300):
    """Return patients who keep all rules."""
    rng = np.random.default_rng(3)
    frame = mixed(n)
    smoker = rng.random(n) < 0.4
    frame["smoker"] = levels(np.where(smoker, "yes", "no"), MORE["smoker"])
    frame["cigarettes"] = np.where(smoker, rng.integers(0, 30, n), 0).astype(float)
    frame["urban"], frame["rural"] = rng.poisson(3, n).astype(float), rng.poisson(2, n).astype(float)
    frame["all"] = frame["urban"] + frame["rural"]
    frame["hdl"] = rng.normal(50, 10, n).round(1)
    frame["ldl"] = frame["hdl"] + rng.exponential(4, n).round(1)
    frame.loc[rng.random(n) < 0.4, ["hdl", "ldl"]] = np.nan
    return frame


def rules_of(*texts, panel=True):
    return RowRules((*(Rule(rule=text) for text in texts), *([PANEL] if panel else [])), MORE)


@pytest.fixture(scope="module")
def chain():
    """Return encoding, inputs and an untrained model of 280 majority rows and 20 cases."""
    frame, settings = table(), quick()
    encoding = fit_encoding(frame, MORE)
    rows = encoded(encoding, frame, settings)
    inputs = GeneratorInputs(encoding, rows[:280], rows[280:], np.arange(280), np.arange(280, 300))
    return inputs, new_model(encoding, rows, settings, seed=0)


def made(chain, rules, *, n=60, majority=True, **settings):
    inputs, model = chain
    if not majority:
        inputs = GeneratorInputs(inputs.encoding, None, inputs.cases, inputs.majority_group, inputs.case_group)
    return synthesise(inputs, model, quick(**settings), n=n, seed=1, rules=rules)


def test_the_patients_keep_the_rules():
    assert not rules_of(*TEXTS).broken(table()).any()


@pytest.mark.parametrize("plausibility", ["matched", "filtered", "none"])
@pytest.mark.parametrize("majority", [True, False])
def test_synthetic_cases_keep_rules_that_they_would_break(chain, plausibility, majority):
    rules = rules_of(*TEXTS)
    free = made(chain, NO_RULES, plausibility=plausibility, majority=majority)
    kept = made(chain, rules, plausibility=plausibility, majority=majority)
    assert rules.broken(free.features).any(axis=0).all()  # each rule matters
    assert not rules.broken(kept.features).any()
    assert len(kept.features) == len(kept.parent) == 60
    assert kept.features["all"].max() <= 40
    assert kept.features.dtypes.to_dict() == free.features.dtypes.to_dict()
    assert kept.features["hdl"].isna().any()
    record = kept.rules
    assert (record.made, record.kept, record.broken) == ((240 if majority and plausibility != "none" else 60), 60, 0)
    assert record.redrawn > 0
    assert record.calculated == record.made  # neither part is ever missing
    assert f"Of {record.made} rows made, {record.redrawn} broke a rule" in record.sentence
    assert kept.remarks == free.remarks  # all is well


def test_without_rules_not_a_byte_changes(chain):
    plain, empty = made(chain, NO_RULES), made(chain, RowRules((), MORE))
    pd.testing.assert_frame_equal(plain.features, empty.features)
    assert plain.rules is None
    pd.testing.assert_frame_equal(plain.features, before_rules(chain, n=60, seed=1))


def before_rules(chain, *, n, seed):
    """Return the cases of the generator as it was before it knew rules."""
    (inputs, model), settings, draws = chain, quick(), torch_generator(seed, "synthesise")
    weight = exemplar_log_weight(model.exemplar_means(inputs.majority), model.exemplar_means(inputs.cases), settings)
    parents = draw_parents(len(inputs.majority), OVERSUPPLY * n, draws, log_weight=weight)
    majority, cases = (decode(inputs.encoding, rows) for rows in (inputs.majority, inputs.cases))
    rows = translate(model, inputs.majority[parents], draws)
    assert not decode(inputs.encoding, rows).merge(cases).shape[0]  # none repeats a case
    features, seed = decode(inputs.encoding, rows), derive(seed, "keep")
    kept = keep_plausible(features, majority, cases, inputs.group, n=n, how=settings.plausibility, seed=seed)
    return features.iloc[kept.rows].reset_index(drop=True)


def test_rules_that_nobody_breaks_change_nothing_either(chain):
    always = rules_of("cigarettes >= 0", "age > 0 or age <= 0", panel=False)
    plain, kept = made(chain, NO_RULES), made(chain, always)
    pd.testing.assert_frame_equal(plain.features, kept.features)
    np.testing.assert_array_equal(plain.parent, kept.parent)
    assert kept.rules.redrawn == 0


def test_the_same_seed_gives_the_same_rows(chain):
    first, second = (made(chain, rules_of(*TEXTS)) for _ in range(2))
    pd.testing.assert_frame_equal(first.features, second.features)
    assert first.rules == second.rules


def test_a_shared_indicator_keeps_the_share_of_missing_cells(chain):
    kept = made(chain, rules_of(), n=3000, plausibility="none").features
    free = made(chain, NO_RULES, n=3000, plausibility="none").features
    assert kept["hdl"].isna().mean() == pytest.approx(free["hdl"].isna().mean(), abs=0.03)
    assert (kept["hdl"].isna() == kept["ldl"].isna()).all()


def test_what_redrawing_cannot_mend_is_repaired_and_counted(chain, monkeypatch):
    monkeypatch.setattr(mgvae.generator.synthesis, "MOST_REDRAWS", 0)
    rules = rules_of(TEXTS[0], "hdl + 12 <= ldl", panel=False)
    kept = made(chain, rules, plausibility="none")
    assert not rules.broken(kept.features).any()
    assert kept.rules.borrowed == kept.rules.redrawn > 0
    assert kept.rules.broken == 0
    assert "repaired from others" in kept.remarks[-1]
    assert not any(letter.isdigit() for letter in kept.remarks[-1])  # one remark for many fits


def test_a_repair_takes_all_columns_that_rules_connect(chain):
    frame = table(6)
    for name, cells in {"smoker": None, "cigarettes": [5, 0, 0, 0, 0, 0], "urban": [9, 1, 1, 1, 1, 1]}.items():
        frame[name] = levels(["no"] * 6, MORE["smoker"]) if cells is None else np.array(cells, dtype=float)
    frame.loc[1:, "rural"] = 7.0
    rules = rules_of(TEXTS[0], "urban > 5 implies cigarettes == 0", "hdl <= ldl", panel=False)
    repaired = RuleKeeper(rules, chain[0].encoding).repaired(frame, 6, seed=0)
    assert repaired.features.loc[0, ["smoker", "cigarettes", "urban"]].tolist() == ["no", 0.0, 1.0]
    pd.testing.assert_frame_equal(
        repaired.features.drop(columns=["cigarettes", "urban"]), frame.drop(columns=["cigarettes", "urban"])
    )
    assert repaired.borrowed.tolist() == [True] + [False] * 5
    assert repaired.usable.tolist() == list(range(6))


def test_whole_rows_go_before_repaired_ones(chain):
    frame = table(6)
    frame.loc[:1, "hdl"], frame.loc[:1, "ldl"] = 9.0, 1.0
    keeper = RuleKeeper(rules_of("hdl <= ldl", panel=False), chain[0].encoding)
    assert keeper.repaired(frame, 4, seed=0).usable.tolist() == [2, 3, 4, 5]
    assert keeper.repaired(frame, 5, seed=0).usable.tolist() == list(range(6))


def test_a_rule_that_nothing_keeps_is_left_broken_and_counted(chain):
    kept = made(chain, rules_of("age < 0", panel=False))
    assert len(kept.features) == kept.rules.broken == 60
    assert kept.rules.borrowed == 0


@pytest.mark.parametrize("order", [1, -1])
def test_a_number_is_calculated_from_one_that_is_calculated(chain, order):
    texts = ["all + 50 == age", "urban + rural == all", "age - 3 == crp"][::order]
    features = RuleKeeper(rules_of(*texts, panel=False), chain[0].encoding).decoded(chain[0].majority.clone())
    expected = features["urban"] + features["rural"] + 50
    assert (features["age"] == expected).all()
    assert ((features["crp"] == expected - 3) | features["crp"].isna()).all()


def test_a_calculated_number_stays_in_its_range(chain):
    narrow = {**MORE, "all": Column(kind="count", range=(0, 3))}
    rules = RowRules((Rule(rule=TEXTS[1]),), narrow)
    kept = made(chain, rules).features
    assert kept["all"].max() <= 3
    assert not rules.broken(kept).any()


def test_further_rows_keep_the_rules(chain):
    inputs, model = chain
    rules = rules_of(*TEXTS)
    first = synthesise(inputs, model, quick(), n=60, seed=1, rules=rules)
    generator = portable_generator(inputs, model, first, quick(), seed=2, rules=rules)
    more = generator.make(inputs.encoding, inputs.majority, 50, seed=3, rules=rules)
    assert len(more.features) == 50
    assert not rules.broken(more.features).any()
    assert rules.broken(generator.make(inputs.encoding, inputs.majority, 50, seed=3).features).any()


@pytest.mark.parametrize("arm", ["mgvae", "vae", "mgvae_no_pretraining", "mgvae_no_ewc"])
def test_each_generative_arm_keeps_the_rules(arm):
    rules = rules_of(*TEXTS)
    rows = Rows(table(), (np.arange(300) >= 280).astype(np.int64), np.arange(300))
    short = quick(pretrain_epochs=2, finetune_epochs=2)
    treated = treat(arm, rows, Recipe(MORE, short, rules=rules), seed=0)
    assert not rules.broken(treated.features).any()
    assert rules.broken(treat(arm, rows, Recipe(MORE, short), seed=0).features).any()


def test_the_record_is_saved_with_the_rows(chain, tmp_path):
    for name, rules in (("with", rules_of(*TEXTS)), ("without", NO_RULES)):
        kept = made(chain, rules)
        (tmp_path / name).mkdir()
        save_synthetic(kept, tmp_path / name)
        assert load_synthetic(tmp_path / name).rules == kept.rules
    assert (tmp_path / "with" / "rules.json").exists()
    assert not (tmp_path / "without" / "rules.json").exists()
