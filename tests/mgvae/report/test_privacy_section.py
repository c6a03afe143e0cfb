"""The page and the terminal say what privacy covers, what it does not, and what was spent."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from flows.commands.show import show
from mgvae.config.strict import build
from mgvae.report.schema import Report
from mgvae.results.privacy import COVERED, NOT_COVERED, SWITCHED_OFF, PrivacyRecord, PrivateMechanism
from tests.mgvae.report.test_render import Page
from tests.report_plain import render
from tests.report_sample import sample_report

pytestmark = pytest.mark.usefixtures("empty_figures")


def record(**changes):
    used = (
        PrivateMechanism(name="decoder biases", noise=8.26, rate=0.5, steps=60, noise_to_signal=0.37),
        PrivateMechanism(name="exemplar weights", noise=1.63, rate=1.0, steps=1, noise_to_signal=0.02),
    )
    values = {
        "epsilon": 5,
        "delta": 1e-5,
        "spent": 4.99,
        "unit": "patient",
        "units": 262,
        "accountant": "renyi",
        "secret_noise": True,
        "mechanisms": used,
    }
    return PrivacyRecord(**(values | changes))


def private_report(**changes):
    report = sample_report()
    report["training"]["finetune"] |= {"history": [], "heldout_elbo": None, "best_epoch": 60, "epochs": 60, "lambda_path": []}
    return report | {"privacy": record(**changes).model_dump(mode="json")}


def test_the_section_says_all_of_the_record():
    page = Page(render(private_report(remarks=("Privacy: expect nothing.",))))
    assert page.wrong == []
    assert "privacy" in page.ids
    for sentence in (*COVERED, *NOT_COVERED, *SWITCHED_OFF, record().sentence, "Privacy: expect nothing."):
        assert sentence in page.text
    for number in ("8.26", "0.37", "50", "1.63", "0.02"):
        assert number in page.text
    assert "cryptographic generator" in page.text
    assert "Fine-tuning is private" in page.text


def test_without_privacy_there_is_no_such_section():
    page = Page(render(sample_report()))
    assert "privacy" not in page.ids
    assert "Fine-tuning is private" not in page.text


def test_a_fixed_seed_of_the_noise_is_said():
    assert "it protects from nobody who knows the seed" in Page(render(private_report(secret_noise=False))).text


@pytest.mark.parametrize(("unit", "whom"), [("patient", "for a case:"), ("group", "for all cases of a group:")])
def test_the_sentence_names_whom_it_protects_and_whom_not(unit, whom):
    text = record(unit=unit).sentence
    assert whom in text
    assert "Majority patients are not protected" in text


def test_the_terminal_says_it():
    out = io.StringIO()
    show(build(Report, private_report(), source="report.json"), Console(file=out, width=400))
    assert record().sentence in out.getvalue()
