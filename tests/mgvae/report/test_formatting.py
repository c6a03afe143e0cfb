import pytest

from mgvae.report import formatting as text
from mgvae.results.gates import Gate
from mgvae.results.numbers import Estimate


@pytest.mark.parametrize(
    ("value", "digits", "signed", "expected"),
    [
        (0.8421, 3, False, "0.842"),
        (-0.0041, 3, False, "−0.004"),
        (0.0041, 3, True, "+0.004"),
        (-0.0001, 3, True, "0.000"),  # nothing is left to have a sign
        (15567, 0, False, "15,567"),
        (None, 3, False, "–"),
        (float("inf"), 3, False, "–"),
    ],
)
def test_number(value, digits, signed, expected):
    assert text.number(value, digits, signed=signed) == expected


def test_measured_has_value_and_limits():
    assert text.measured("auroc", Estimate(value=0.8421, low=0.8149, high=0.8701)) == "0.842 (0.81 to 0.87)"
    assert text.measured("auroc", Estimate(value=0.8421, low=None, high=0.87)) == "0.842"
    assert text.measured("auroc", Estimate(value=None)) == "–"
    assert text.measured("auroc", None) == "–"


def test_change_is_signed():
    assert text.change("auroc", Estimate(value=0.004, low=-0.011, high=0.019)) == "+0.004 (−0.011 to +0.019)"


def test_share_and_duration():
    assert text.share(328 / 15567, 2) == "2.11\u00a0%"
    assert [text.duration(s) for s in (None, 0.44, 38.2, 200, 7260)] == ["–", "0.4 s", "38 s", "3 min 20 s", "2 h 1 min"]


def test_plain_has_no_idle_digits():
    assert [text.plain(x) for x in (0.0, 0.3, 8.0, 1000.0, -2.5, None)] == ["0", "0.3", "8", "1,000", "−2.5", "–"]


def test_listing_and_plural():
    assert [text.listing(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [text.plural(n, "gate") for n in (0, 1, 2000)] == ["0 gates", "1 gate", "2,000 gates"]


@pytest.mark.parametrize(
    ("value", "low", "high", "threshold", "expected"),
    [
        (0, 0, 0, 0, ("0", "(0 to 0)", "0")),
        (0.42, 0.33, 0.5, 0.8, ("0.420", "(0.330 to 0.500)", "0.800")),
        (0.0002, 0.0, 0.0011, 0.0, ("0.0002", "(0.0000 to 0.0011)", "0.0000")),
        (0.5, None, None, (0.45, 0.55), ("0.500", "", "0.450 to 0.550")),
        (None, None, None, None, ("–", "", "–")),
    ],
)
def test_gate_numbers_choose_their_decimals(value, low, high, threshold, expected):
    gate = Gate(name="g", label="G", value=value, low=low, high=high, threshold=threshold, verdict="pass", detail="")
    assert text.gate_numbers(gate) == expected
