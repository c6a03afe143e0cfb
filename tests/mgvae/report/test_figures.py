import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from mgvae.report.figures.calibration import calibration, floor_of
from mgvae.report.figures.forest import common_span, forest
from mgvae.report.figures.inline import gate_bar
from mgvae.report.figures.marginals import marginal
from mgvae.report.figures.training import lambda_path, learning_curve
from mgvae.report.palette import ARM_STYLES, COLOURS
from mgvae.results.evaluation import Curve
from mgvae.results.gates import Gate
from mgvae.results.numbers import Estimate
from mgvae.results.synthetic import LevelsMarginal, NumericMarginal
from mgvae.results.training import LambdaTrial, Pretraining

MISSING = {"majority": 0.1, "cases": 0.0, "synthetic": None}


def numeric(**changed):
    shares = {"majority": (0.5, 0.5), "cases": (0.2, 0.8), "synthetic": (0.3, 0.7)}
    known = {
        "column": "x",
        "label": "X",
        "unit": "mmol/l",
        "kind": "numeric",
        "edges": (0, 1, 2),
        "missing": MISSING,
        "distance": 0.1,
    }
    return NumericMarginal.model_validate(known | shares | changed)


def levels(count, **changed):
    shares = dict.fromkeys(("majority", "cases", "synthetic"), (1 / count,) * count)
    known = {"column": "x", "label": "X", "unit": None, "kind": "levels", "missing": MISSING, "distance": None}
    return LevelsMarginal.model_validate(known | shares | {"levels": [f"level {i}" for i in range(count)]} | changed)


def tree(svg):
    return ET.fromstring(svg.replace("xlink:href", "href"))  # noqa: S314 - our own SVG


def texts(svg):
    return [node.text for node in tree(svg).iter() if node.tag.endswith("text")]


CURVE = Curve(predicted=(0.001, 0.1), observed=(0.0, 0.2), low=(0.0, None), high=(0.01, None), n=(100, 50.5))


@pytest.mark.parametrize(
    "make",
    [
        lambda: marginal(numeric(), key="a"),
        lambda: marginal(levels(3), key="a"),
        lambda: calibration({"none": CURVE, "smote": CURVE}, floor=1e-4, key="a", title="T"),
        lambda: forest(
            {"mgvae": Estimate(value=0.1, low=0.0, high=0.2)}, "auroc", span=(-1, 1), key="a", title="T", reference="n"
        ),
        lambda: lambda_path([LambdaTrial(ewc_lambda=1.0, heldout_elbo=-3.0)], 1.0, key="a"),
    ],
)
def test_a_figure_is_one_accessible_svg_and_the_same_every_time(make):
    svg = make()
    root = tree(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == root[0].text
    assert root[0].tag == "title"
    assert make() == svg
    assert "2026" not in svg
    ids, used = re.findall(r' id="([^"]+)"', svg), set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg))
    assert set(ids) == {name for pair in used for name in pair if name}
    assert len(ids) == len(set(ids))


def test_ids_differ_between_figures():
    ids = [set(re.findall(r' id="([^"]+)"', marginal(numeric(), key=key))) for key in ("a", "b")]
    assert ids[0]
    assert not ids[0] & ids[1]


def test_settings_hold_only_while_drawing():
    before = dict(mpl.rcParams)
    marginal(numeric(), key="a")
    assert dict(mpl.rcParams) == before


def test_figures_take_the_colours_of_the_page():
    assert not re.findall(r"#[0-9a-f]{6}", marginal(numeric(), key="a"))


def test_tick_labels_keep_their_decimals():
    svg = forest({"mgvae": Estimate(value=0.0)}, "auroc", span=(-0.0625, 0.0625), key="a", title="T", reference="n")
    ticks = [float(text.replace("−", "-")) for text in texts(svg) if re.fullmatch(r"−?\d+\.\d+", text)]
    steps = {round(b - a, 6) for a, b in pairwise(ticks)}
    assert len(ticks) >= 3
    assert len(steps) == 1  # rounding the labels would make them uneven


def test_hostile_labels_are_text_only():
    svg = marginal(numeric(label='<script>alert("1")</script> $x^', unit="$\\frac{a"), key="a")
    assert "<script" not in svg
    assert "$\\frac{a" in texts(svg)


def test_many_levels_are_gathered():
    written = texts(marginal(levels(40), key="a"))
    assert "35 others" in written
    assert sum(text.startswith("level") for text in written) == 5


def test_empty_groups_can_be_drawn():
    nothing = dict.fromkeys(("majority", "cases", "synthetic"), (0.0, 0.0))
    assert "<svg" in marginal(numeric(**nothing), key="a")
    assert "<svg" in marginal(levels(2, **nothing), key="a")


def test_wide_ranges_get_a_logarithmic_axis():
    shares = dict.fromkeys(("majority", "cases", "synthetic"), (0.25,) * 4)
    written = texts(marginal(numeric(edges=(1, 10, 100, 1000, 10000), **shares), key="a"))
    assert {"1", "100", "10000"} <= set(written)


def test_learning_curve_needs_epochs():
    none = Pretraining(epochs=0, seconds=0, heldout_elbo=None, best_epoch=None, history=())
    assert learning_curve(none, key="a", title="T") is None
    assert lambda_path([], None, key="a") is None


def test_calibration_floor_is_a_power_of_ten_below_all():
    assert floor_of([CURVE]) == pytest.approx(1e-3)
    assert floor_of([]) == pytest.approx(1e-3)


def test_common_span_holds_zero_and_all_limits():
    low, high = common_span([Estimate(value=0.2, low=0.1, high=0.4), Estimate(value=None)])
    assert low < 0
    assert high > 0.4


@pytest.mark.parametrize("value", [0.0, 0.42, 1.0, 7.0, -0.2])
def test_gate_bar_keeps_inside_its_box(value):
    gate = Gate(
        name="g", label="G", value=value, low=value - 0.1, high=value + 0.1, threshold=(0.4, 0.6), verdict="warn", detail=""
    )
    svg = gate_bar(gate)
    places = [float(x) for x in re.findall(r'cx="([-\d.]+)"', svg)] + [float(x) for x in re.findall(r"M([-\d.]+) ", svg)]
    assert all(0 <= x <= 150 for x in places)


def test_colours_can_be_read():
    for scheme in (0, 1):
        colour = {name: pair[scheme] for name, pair in COLOURS.items()}
        for ground in ("page", "panel"):
            for text in ("ink", "muted", "link", "pass", "warn", "fail"):
                assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground, scheme)
        for verdict in ("pass", "warn", "fail"):
            assert contrast(colour[verdict], colour[f"{verdict}-panel"]) >= 4.5
            assert contrast(colour["ink"], colour[f"{verdict}-panel"]) >= 4.5
        for mark in ("majority", "cases", "synthetic", "axis", *(style.colour for style in ARM_STYLES.values())):
            assert contrast(colour[mark], colour["page"]) >= 3, (mark, scheme)


def test_arms_differ_in_more_than_colour():
    drawn = [(style.marker, style.dash) for style in ARM_STYLES.values()]
    assert len(set(drawn)) == len(drawn)
    assert len({pair[0] for pair in COLOURS.values()}) == len(COLOURS)


def contrast(colour, other):
    """Return the WCAG 2 contrast ratio of two ``#rrggbb`` colours, 1..21."""
    low, high = sorted((luminance(colour), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=1e-3)  # the WCAG working group's usual example
