"""A study with a user's own classifier: from cohort.yaml to the report, and where it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from mgvae.errors import ConfigError
from tests.flows.flow_tools import artifact, cached, run_study
from tests.flows.simulated_study import table, write_study

pytestmark = pytest.mark.usefixtures("database")
OWN = "own_naive_bayes"
SOURCE = "from sklearn.naive_bayes import {name} as make\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder on the path of Python, with a study whose only classifier is the user's."""
    for name in ("MGVAE_CLASSIFIERS", "MGVAE_ROOTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{OWN}.py").write_text(SOURCE.format(name="GaussianNB"))
    monkeypatch.syspath_prepend(tmp_path / "code")
    classifiers = {"my_bayes": f"{OWN}:make"}
    settings = {"evaluation__arms": ["none", "class_weight"], "evaluation__classifiers": classifiers}
    muted = dict.fromkeys(("MGV101", "MGV203"), "an invented study, predicted well on purpose")
    return write_study(tmp_path, table(400, 40), **settings, findings__mute=muted)


@pytest.mark.slow
def test_it_is_evaluated_recommended_and_saved_as_a_recipe(place, tmp_path, monkeypatch):
    warned: list[str] = []
    logger = SimpleNamespace(warning=warned.append, info=lambda *_: None)
    monkeypatch.setattr("flows.study.flow.get_run_logger", lambda: logger)
    result, report = run_study(place, tmp_path / "runs", "training.pretrain_epochs=1", "training.finetune_epochs=1")
    assert set(report["evaluation"]["arms"]["none"]) == {"my_bayes"}
    assert report["recommendation"]["classifier"] == "my_bayes"
    assert "MGV209" in {one["code"] for one in report["findings"]}
    assert any("a fitted one cannot be saved" in one for one in report["warnings"])
    assert len(warned) == 1, "said when the run starts, too"
    page = (Path(result["run"]) / "report.html").read_text(encoding="utf-8")
    assert "My bayes" in page
    model = json.loads((artifact(tmp_path / "runs", report, "model") / "model.json").read_text())
    assert model["scorer"]["path"] == f"{OWN}:make"
    again = run_study(place, tmp_path / "runs", "training.pretrain_epochs=1", "training.finetune_epochs=1")[1]
    assert again == report, "nothing was made again"
    (tmp_path / "code" / f"{OWN}.py").write_text(SOURCE.format(name="GaussianNB") + "# changed\n")
    changed = run_study(place, tmp_path / "runs", "training.pretrain_epochs=1", "training.finetune_epochs=1", promote=True)[1]
    assert not (tmp_path / "runs" / "small" / "champion").exists(), "what cannot predict once saved serves nobody"
    assert "only the recipe is saved" in (tmp_path / "runs" / "small" / "audit.jsonl").read_text()
    assert not {"evaluate", "model"} & set(cached(changed))
    assert "finetune" in cached(changed)


def test_a_worker_that_restricts_paths_refuses_it_before_the_extract_is_read(place, tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_ROOTS", str(tmp_path))
    with pytest.raises(ConfigError, match=f"Classifier 'my_bayes': MGVAE_CLASSIFIERS must list the module '{OWN}'"):
        run_study(place, tmp_path / "runs")
    assert not list((tmp_path / "runs").rglob("*.json"))
