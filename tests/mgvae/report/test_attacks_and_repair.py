"""Attacks and repair on the page."""

from __future__ import annotations

import re

import pytest

from tests.report_plain import render
from tests.report_sample import sample_report

pytestmark = pytest.mark.usefixtures("empty_figures")


def sample_with_repair(*, dropped=411):
    """Return a report with attacks on membership, and repair."""
    report = sample_report()
    gates = report["synthetic"]["gates"]
    gates[0]["attacks"] = [
        {"name": "distance", "auc": {"value": 0.612, "low": 0.533, "high": 0.684}, "caught": None},
        {"name": "density ratio", "auc": {"value": 0.657, "low": 0.581, "high": 0.723}}
        | {"caught": {"value": 0.21, "low": 0.16, "high": 0.27}},
    ]
    record = {"made": 11600, "dropped": dropped, "near_case": 17, "near_majority": 390, "broken": 8, "within": 0.33}
    effect = {"before": 0.801, "after": 0.798, "difference": {"value": -0.003, "low": -0.011, "high": 0.004}}
    before = [dict(gate) | {"verdict": "fail", "value": 0.777} for gate in gates if gate["value"] is not None]
    report["synthetic"]["repair"] = {"record": record, "gates": before, "effect": effect}
    return report


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_each_attack_has_its_numbers():
    text = text_of(render(sample_with_repair()))
    assert "Density ratio 0.657 (0.581 to 0.723) 21 % (16 % to 27 %)" in text.replace("\u00a0", " ")
    assert "Distance 0.612 (0.533 to 0.684) –" in text


def test_repair_has_counts_gates_before_and_after_and_the_effect():
    text = text_of(render(sample_with_repair()))
    assert "Repair dropped 411 of 11,600 synthetic cases: 17 too near a training case, 390 too near a majority" in text
    assert "AUROC of 0.801 before and 0.798 after repair on the patients held out: −0.003 (−0.011 to +0.004)." in text
    assert text.count("0.777") >= 3


def test_without_attacks_and_repair_nothing_is_said():
    text = text_of(render(sample_report()))
    assert "Each attack on its own" not in text
    assert "Repair" not in text


def test_nothing_dropped_and_no_effect():
    report = sample_with_repair(dropped=0)
    report["synthetic"]["repair"]["effect"] = None
    text = text_of(render(report))
    assert "cannot be measured: the patients held out have one class only" in text
    assert "Gates before and after repair" not in text
