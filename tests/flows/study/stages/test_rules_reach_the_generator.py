"""Rules between columns reach the generator of the study and of its arms: those about features alone."""

from types import SimpleNamespace

import pytest
import torch

from flows.study.stages import synthesise as stage
from mgvae.config.study import CohortConfig
from mgvae.evaluation.evaluate import chain_of

RULES = ["a <= b", "died == 1 implies a > 0", {"missing_together": ["a", "b"]}]


@pytest.fixture
def config():
    columns = {"a": {"kind": "count"}, "b": {"kind": "count"}, "died": {"kind": "binary", "role": "excluded"}}
    values = {"study": "s", "extract": "e.csv", "subject_id": None, "outcome": {"column": "died"}}
    return CohortConfig.model_validate({**values, "columns": {"columns": columns, "rules": RULES}})


def texts(rules):
    return [rule.text for rule in rules.rules]


def test_the_arms(config):
    assert texts(chain_of(config).recipe.rules) == ["a <= b", "missing together: a, b"]


def test_the_stage(config, monkeypatch):
    rows = {"event": torch.tensor([True] + [False] * 9), "rows": torch.zeros(10, 2), "group": torch.arange(10)}
    tuned = SimpleNamespace(encoding=None, model=torch.nn.Linear(1, 1), tilt=None)
    given = {}
    monkeypatch.setattr(stage, "load_checkpoint", lambda folder: tuned)
    monkeypatch.setattr(stage, "encoded_rows", lambda folder: rows)
    monkeypatch.setattr(stage, "synthesise", lambda *_, **named: given.update(named))
    stage.translate(None, None, config, seed=3, n=None)
    assert texts(given["rules"]) == ["a <= b", "missing together: a, b"]
    assert (given["n"], given["seed"]) == (8, 3)


def test_a_changed_rule_makes_new_cases(config):
    other = CohortConfig.model_validate(
        config.model_dump() | {"columns": config.columns.model_copy(update={"rules": ()}).model_dump()}
    )
    assert stage.STAGE.reads(config) != stage.STAGE.reads(other)
