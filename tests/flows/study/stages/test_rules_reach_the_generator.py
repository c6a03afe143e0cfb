"""Rules between columns reach the generator of the study and of its arms: those about features alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from flows.study.stages import synthesise as stage
from flows.study.stages.encoded import EncodedRows
from mgvae.config.study import CohortConfig
from mgvae.evaluation.evaluate import chain_of
from mgvae.generator.synthetic import Synthetic

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
    places = np.array([1, 2, 4, 5, 6, 8, 9, 11, 12])  # 9 of 13 were drawn
    rows = EncodedRows(torch.zeros(10, 2), np.arange(10), places)
    tuned = SimpleNamespace(encoding=None, model=torch.nn.Linear(1, 1), tilt=None)
    given = {}
    monkeypatch.setattr("mgvae.training.checkpoint.load_checkpoint", lambda folder: tuned)
    monkeypatch.setattr(stage, "encoded_rows", lambda folder: rows)
    made = Synthetic(pd.DataFrame(index=range(3)), np.array([0, 8, 2]))
    monkeypatch.setattr("mgvae.generator.synthesis.synthesise", lambda *_, **named: given.update(named) or made)
    found = stage.translate(None, None, config, seed=3, n=None)
    assert found.parent.tolist() == [1, 12, 4], "among all patients without the event"
    assert texts(given["rules"]) == ["a <= b", "missing together: a, b"]
    assert (given["n"], given["seed"]) == (8, 3)


def test_a_changed_rule_makes_new_cases(config):
    other = CohortConfig.model_validate(
        config.model_dump() | {"columns": config.columns.model_copy(update={"rules": ()}).model_dump()}
    )
    assert stage.STAGE.reads(config) != stage.STAGE.reads(other)
