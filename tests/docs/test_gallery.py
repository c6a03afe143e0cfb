"""The studies of the gallery: what is simulated, and that each report has its picture and its text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from docs.tools import gallery
from mgvae.config.study import load_config
from tests.paths import ROOT

FOLDER = ROOT / "docs" / "gallery"


@pytest.mark.parametrize("name", gallery.SIMULATED)
def test_a_simulated_study_fits_its_extract(tmp_path, name):
    config = load_config(gallery.write_study(name, tmp_path))
    table = gallery.patients(gallery.SIMULATED[name], seed=0)
    assert list(config.columns.features) == list(table.columns[2:])
    low, high = config.outcome.expected_prevalence
    assert name in config.study
    assert low < (table["ill"] == "yes").mean() < high
    assert table[list(config.columns.features)].abs().to_numpy().max() < 9  # within the ranges of the dictionary


def test_only_the_leak_tells_the_outcome():
    study = gallery.SIMULATED["gallery-leak"]
    table = gallery.patients(study, seed=3)
    areas = {name: roc_auc_score(table["ill"], table[name]) for name in table.columns[2:]}
    assert areas.pop("discharge_code") > 0.99
    assert 0.5 < min(areas.values()) < max(areas.values()) < 0.7
    assert table.drop(columns="discharge_code").equals(gallery.patients(replace(study, leak=False), seed=3))


def test_each_report_has_a_picture_and_a_text():
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    studies = set(gallery.REPORT.findall(text))
    assert studies <= {*gallery.SHIPPED, *gallery.SIMULATED}
    assert set(re.findall(r"\(([\w-]+)\.png\)", text)) == studies == {path.stem for path in FOLDER.glob("*.png")}
    for study in studies:
        with Image.open(FOLDER / f"{study}.png") as picture:
            assert picture.size == (gallery.PICTURE["width"], gallery.PICTURE["height"])


def test_a_report_is_linked_where_it_was_made(tmp_path, monkeypatch):
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    assert gallery.link_to_report("nafld") == ""
    page = tmp_path / "runs" / "nafld" / "latest" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    assert gallery.link_to_report("nafld") == "[Open the report](nafld.html)."
