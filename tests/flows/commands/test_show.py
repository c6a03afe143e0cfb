import io

import pytest
from rich.console import Console

from mgvae.errors import ConfigError
from tests import report_sample
from tests.report_plain import show

samples = vars(report_sample)


def printed(report, *, width=140):
    console = Console(file=io.StringIO(), width=width)
    show(report, console)
    return console.file.getvalue()


def test_numbers_of_the_report():
    text = printed(samples["sample_report"]())
    one = samples["sample_report"]()["evaluation"]["holdout"]["mgvae"]["logistic_regression"]["recalibrated"]["auroc"]
    assert "1 of 6 gates failed" in text
    assert "Train with no correction for imbalance: logistic regression" in text
    assert "+0.004 (−0.011 to +0.019)" in text
    assert f"{one['value']:.3f}" in text
    assert f"({one['low']:.2f} to {one['high']:.2f})" in text
    assert "0.420 (0.330 to 0.500)" in text


def test_plain_text_where_it_is_not_a_terminal():
    assert "\x1b" not in printed(samples["sample_report"](columns=2))


def test_refused_extract():
    text = printed(samples["refused_report"]())
    assert "Extract refused" in text
    assert "values between 10 and 80 kg/m²" in text
    assert "412" in text
    assert "Deploy" not in text


def test_drift():
    text = printed(samples["sample_report"]())
    assert "Drift against the extract of run 77c04e11a0b2" in text
    assert "Columns that drifted" in text
    assert "0.231 (0.190 to 0.284)" in text
    assert "Drift" not in printed(samples["sparse_report"]())


def test_unknown_numbers():
    text = printed(samples["sparse_report"]())
    assert "None" not in text
    assert "nan" not in text


def test_square_brackets_are_not_markup():
    report = samples["sample_report"](columns=2)
    report |= {"title": "[bold]Study[/bold] [/nothing]", "warnings": ["[red]look[/red]"]}
    report["synthetic"]["gates"][0]["label"] = "[blink]gate[/]"
    text = printed(report)
    for raw in ("[bold]Study[/bold] [/nothing]", "[red]look[/red]", "[blink]gate[/]"):
        assert raw in text


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert max(map(len, printed(samples["sample_report"](), width=width).splitlines())) <= width


def test_a_broken_report_is_refused():
    with pytest.raises(ConfigError, match=r"report.json is not usable"):
        show({"study": "x"}, Console(file=io.StringIO()))
