"""What a figure draws lies where report.json says, by the labels of its own ticks: each arm, column and step has its own."""

import re
from html import unescape
from itertools import pairwise

import pytest

from mgvae.report.figures.calibration import calibration
from mgvae.report.figures.decision import top_of
from mgvae.report.figures.forest import forest
from mgvae.report.figures.inline import gate_bar
from mgvae.report.figures.marginals import marginal
from mgvae.report.palette import ARM_STYLES
from mgvae.results.evaluation import Curve, DecisionCurve, DecisionCurves
from mgvae.results.gates import Gate
from mgvae.results.numbers import Estimate
from mgvae.results.synthetic import LevelsMarginal
from tests.report_distinct import ARMS, CHOSEN, distinct_report
from tests.report_plain import drawn_page
from tests.report_reading import ARM_NAMES, CLASSIFIER_NAMES, METRIC_NAMES, Drawing, Reading, at, numbers, says
from tests.report_sample import sample_report

FLOOR = 1e-3  # of the calibration plots: the power of ten below the smallest number of all curves
FOREST = ("auroc", "auprc", "scaled_brier", "net_benefit")
LR = "logistic_regression"
GROUPS = ("majority", "cases", "synthetic")
COLOURS = {arm: ARM_STYLES[arm].colour for arm in ARMS}
models = [
    (arm, classifier) for arm in ARMS for classifier in CLASSIFIER_NAMES if (arm, classifier) != ("smote", CHOSEN["classifier"])
]


@pytest.fixture(scope="module")
def report():
    return distinct_report()


@pytest.fixture(scope="module")
def html(report):
    return drawn_page(report)


@pytest.fixture(scope="module")
def page(html):
    return Reading(html)


@pytest.mark.parametrize("metric", FOREST)
@pytest.mark.parametrize(("arm", "classifier"), [model for model in models if model[0] != "none"])
def test_the_forest_plot_draws_an_arm_with_its_own_interval(report, page, arm, classifier, metric):
    figure = page.figure(f"{METRIC_NAMES[metric][0]}, {CLASSIFIER_NAMES[classifier].lower()}: difference from no correction")
    one, x = report["evaluation"]["differences"][arm][classifier][metric], figure.x()
    ((place, height),) = figure.marks(COLOURS[arm])
    assert figure.row(height) == ARM_NAMES[arm]
    assert at([(place, height)], [(x(one["value"]), height)])
    assert figure.lines(COLOURS[arm]) == [[pytest.approx((x(one[end]), height), abs=0.06) for end in ("low", "high")]]
    (said,) = [part for part in re.split("[;.] |; |\\.$", figure.description) if part.startswith(f"{ARM_NAMES[arm]} ")]
    assert says(said, one["value"], one["low"], one["high"])


def test_an_estimate_without_limits_is_a_marker_alone():
    drawn = {"mgvae": Estimate(value=0.1), "smote": Estimate(value=0.3, low=0.2, high=0.4)}
    figure = Drawing(forest(drawn, "auroc", span=(-1, 1), key="a", title="T", reference="no correction"))
    assert figure.lines(COLOURS["mgvae"]) == []
    assert len(figure.marks(COLOURS["mgvae"])) == len(figure.lines(COLOURS["smote"])) == 1


def curve_places(curve, x, y):
    def raised(value):
        return max(value, FLOOR)

    every = list(zip(curve["predicted"], curve["observed"], strict=True))
    line = [(x(raised(predicted)), y(observed)) for predicted, observed in every if observed >= FLOOR]
    marks = [(x(raised(predicted)), y(raised(observed))) for predicted, observed in every]
    limits = zip(curve["predicted"], curve["low"], curve["high"], strict=True)
    intervals = [[(x(raised(p)), y(raised(low))), (x(raised(p)), y(raised(high)))] for p, low, high in limits]
    return line, marks, intervals


def same_curve(figure, arm, curve):
    line, marks, intervals = curve_places(curve, figure.x(log=True), figure.y(log=True))
    drawn, *limits = figure.lines(COLOURS[arm])
    expected = intervals if arm in ("none", "mgvae") else []
    filled = [place for place, observed in zip(marks, curve["observed"], strict=True) if observed >= FLOOR]
    same = at(drawn, line) and at(figure.marks(COLOURS[arm]), marks) and at(figure.filled(COLOURS[arm]), filled)
    return same and len(limits) == len(expected) and all(map(at, limits, expected))


@pytest.mark.parametrize("variant", ["raw", "recalibrated"])
@pytest.mark.parametrize(("arm", "classifier"), models)
def test_the_calibration_plot_draws_observed_against_predicted(report, page, arm, classifier, variant):
    figure = page.figure(f"Calibration, {CLASSIFIER_NAMES[classifier].lower()}, {variant} probabilities")
    assert same_curve(figure, arm, report["evaluation"]["curves"][arm][classifier][variant])


def smooth_curves():
    """Return the curves of two arms, one with a band, that differ in every number."""
    made = {}
    for place, arm in enumerate(("none", "smote")):
        x = tuple((0.002 + 0.001 * place) * 1.3**k for k in range(12))
        smooth = {"predicted": x, "observed": tuple(0.8 * v for v in x), "low": tuple(0.5 * v for v in x), "high": x}
        bins = {"predicted": (0.003, 0.02), "observed": (0.004, 0.03), "low": (0.003, 0.02), "high": (0.006, 0.05), "n": (9, 9)}
        risks = {"edges": (0.002, 0.004, 0.01, 0.03), "events": (0, 1, 4 + place), "others": (40, 20, 10)}
        made[arm] = Curve(**bins, smooth=smooth, risks=risks)
    return made


def test_a_smooth_curve_is_the_line_of_its_arm_and_the_strong_arms_have_band_bins_and_histogram():
    curves = smooth_curves()
    figure = Drawing(calibration(curves, floor=FLOOR, key="a", title="T"))
    x, y = figure.x(log=True), figure.y(log=True)
    for arm, curve in curves.items():
        line = next(points for points in figure.lines(COLOURS[arm]) if len(points) == 12)
        smooth = curve.smooth
        assert at(line, [(x(p), y(o)) for p, o in zip(smooth.predicted, smooth.observed, strict=True)])
    assert at(figure.marks(COLOURS["none"]), [(x(0.003), y(0.004)), (x(0.02), y(0.03))])
    assert figure.marks(COLOURS["smote"]) == []
    band = [points for points in figure.filled_areas if len(points) >= 24]
    smooth = curves["none"].smooth
    lower = list(zip(map(x, smooth.predicted), map(y, smooth.low), strict=True))
    upper = list(zip(map(x, smooth.predicted), map(y, smooth.high), strict=True))
    assert len(band) == 1
    assert at(band[0][:24], lower + upper[::-1])


def test_the_histogram_of_risks_goes_up_for_others_and_down_for_events():
    figure = Drawing(calibration({"none": smooth_curves()["none"]}, floor=FLOOR, key="a", title="T"))
    x = figure.x(log=True)
    steps = [points for points in figure.lines(COLOURS["none"]) if points[0][1] == points[-1][1] and len(points) > 4]
    (up, down) = sorted(steps, key=lambda points: min(y for _, y in points))
    zero = up[0][1]
    full = zero - min(y for _, y in up)
    risks = smooth_curves()["none"].risks
    for counts, drawn, sign in ((risks.others, up, 1), (risks.events, down, -1)):
        density = risks.density(counts)
        expected = {0.0, *(sign * one / max(density) for one in density)}
        assert sorted({(zero - y) / full for _, y in drawn}) == pytest.approx(sorted(expected), abs=0.01)
    edges = sorted({place for place, _ in up})
    assert edges == pytest.approx([x(edge) for edge in (0.002, 0.004, 0.01, 0.03)], abs=0.06)


@pytest.mark.slow
def test_a_decision_curve_draws_each_arm_and_treating_all_with_bands_for_the_strong():
    report = sample_report()
    found = report["evaluation"]["decision_curves"]
    page = Reading(drawn_page(report))
    for classifier, name in CLASSIFIER_NAMES.items():
        figure = page.figure(f"Decision curves, {name.lower()}")
        x, y = figure.x(log=True), figure.y()
        for arm in found["arms"]:
            expected = [
                (x(t), y(v)) for t, v in zip(found["thresholds"], found["arms"][arm][classifier]["net_benefit"], strict=True)
            ]
            (line,) = figure.lines(ARM_STYLES[arm].colour)
            assert at(line, expected), arm
        (everyone,) = figure.lines("muted")
        drawn = [(x(t), y(v)) for t, v in zip(found["thresholds"], found["treat_all"], strict=True)]
        assert at(everyone[:20], drawn[:20]), "as far as the axis reaches"
        heights = {text: height for text, height in figure.texts if text.endswith(" %") and text[:-2] in ("0", "25", "50")}
        for part in ("0", "25", "50"):
            expected = y(int(part) / 100 * found["prevalence"])
            assert heights[f"{part} %"] == pytest.approx(expected + 4, abs=1.5), "standardised, on the right"
        none, mgvae = (found["arms"][arm][classifier] for arm in ("none", "mgvae"))
        bands = [points[:41] for points in figure.filled_areas if len(points) >= 82]
        assert len(bands) == 2
        for curve in (none, mgvae):
            expected = [(x(t), y(v)) for t, v in zip(found["thresholds"], curve["low"], strict=True)]
            assert any(at(band, expected) for band in bands)


def test_the_axis_of_decision_curves_holds_all_curves_and_bands_that_are_not_very_wide():
    thresholds, everyone = (0.01, 0.02), (0.01, 0.0)

    def top(high):
        curve = DecisionCurve(net_benefit=(0.02, 0.01), low=(None, 0.0), high=(None, high))
        found = DecisionCurves(thresholds=thresholds, prevalence=0.02, treat_all=everyone, arms={"none": {LR: curve}})
        return top_of(found)

    assert top(0.03) == pytest.approx(1.05 * 0.03)
    assert top(0.5) == pytest.approx(1.05 * 0.04)


def test_a_legend_gives_each_arm_its_own_colour_and_dash(report, html):
    evaluation = html[html.index('<section id="evaluation"') : html.index('<section id="subgroups"')]
    entries = re.findall(r"<span>(<svg class=\"swatch\".*?</svg>)([^<]+)</span>", evaluation)
    curves = report["evaluation"]["curves"]
    drawn = [ARM_NAMES[arm] for classifier in CLASSIFIER_NAMES for arm in [*curves, *curves] if classifier in curves[arm]]
    assert [name for _, name in entries] == drawn  # beside the ranks, and beside the calibration
    assert len(drawn) == 2 * (2 * len(curves) - 1)
    keys = {name: arm for arm, name in ARM_NAMES.items()}
    for svg, name in entries:
        style = ARM_STYLES[keys[name]]
        assert set(re.findall(r"var\(--([a-z-]+)\)", svg)) == {style.colour}
        dashes = re.findall(r'stroke-dasharray="([^"]+)"', svg)
        assert dashes == ([" ".join(map(str, style.dash))] if style.dash else [])


@pytest.mark.parametrize(
    ("name", "title"), [("pretrain", "Pre-training: ELBO by epoch"), ("finetune", "Fine-tuning: ELBO by epoch")]
)
def test_a_learning_curve_draws_the_epochs_of_its_step(report, page, name, title):
    figure, step = page.figure(title), report["training"][name]
    x, y = figure.x(), figure.y()
    for key, colour in (("train_elbo", "majority"), ("heldout_elbo", "cases")):
        line = figure.lines(colour)[0]
        assert at(line, [(x(epoch["epoch"]), y(epoch[key])) for epoch in step["history"]]), key
    assert at(figure.marks("cases"), [(x(step["best_epoch"]), y(step["heldout_elbo"]))])
    assert says(figure.description.replace("held-out", ""), step["best_epoch"], step["heldout_elbo"])


def test_the_path_of_lambda_fills_the_chosen_weight(report, page):
    figure, step = page.figure("Choice of lambda"), report["training"]["finetune"]
    y, places = figure.y(), dict(figure.across)
    trials = sorted((trial["ewc_lambda"], trial["heldout_elbo"]) for trial in step["lambda_path"])
    expected = [(places[f"{weight:g}"], y(elbo)) for weight, elbo in trials]
    assert at(figure.marks("synthetic"), expected)
    assert at(figure.lines("majority")[0], expected)
    (chosen,) = [place for (weight, _), place in zip(trials, expected, strict=True) if weight == step["ewc_lambda"]]
    assert at(figure.filled("synthetic"), [chosen])
    assert figure.description == f"Chosen: {step['ewc_lambda']:g}."


def test_a_histogram_draws_the_densities_of_its_column(report, page):
    columns = [one for one in report["synthetic"]["marginals"] if one["kind"] == "numeric"]
    assert len(columns) > 5
    for one in columns:
        figure = page.figure(f"{one['label']}: majority")
        widths = [high - low for low, high in pairwise(one["edges"])]
        heights = {
            name: [share / sum(one[name]) / width for share, width in zip(one[name], widths, strict=True)] for name in GROUPS
        }
        x, top = figure.x(), max(map(max, heights.values()))
        base = max(y for _, y in figure.lines("axis")[-1])
        highest = min(y for name in GROUPS for _, y in figure.lines(name)[0])
        for name in GROUPS:
            steps = [
                (x(edge), base - height / top * (base - highest))
                for height, ends in zip(heights[name], pairwise(one["edges"]), strict=True)
                for edge in ends
            ]
            (line,) = figure.lines(name)
            inner = [place for place in line if place[1] < base - 0.5]
            assert at(dict.fromkeys(inner), dict.fromkeys(steps)), (one["label"], name)
        assert says(figure.description, one["distance"])


def test_a_plot_of_levels_draws_the_shares_of_its_column(report, page):
    columns = [one for one in report["synthetic"]["marginals"] if one["kind"] == "levels"]
    assert len(columns) > 1
    for one in columns:
        figure = page.figure(f"{one['label']}: majority")
        x, names = figure.x(), [label.removesuffix("…") for label, _ in figure.rows]
        assert all(level.startswith(name) for level, name in zip(one["levels"], names, strict=True))
        heights = [y - 4.17 for _, y in figure.rows]
        for name in GROUPS:
            assert at(figure.marks(name), [(x(share), y) for share, y in zip(one[name], heights, strict=True)]), (
                one["label"],
                name,
            )
        assert says(figure.description, one["distance"])


def test_the_rest_of_many_levels_is_the_sum_of_the_rare_ones():
    shares = {"majority": [0.01, 0.3, 0.02, 0.2, 0.1, 0.25, 0.03, 0.09], "cases": [0.04, 0.1, 0.05, 0.3, 0.2, 0.15, 0.02, 0.14]}
    shares["synthetic"] = [0.02, 0.2, 0.06, 0.1, 0.3, 0.2, 0.01, 0.11]
    names = {"column": "x", "label": "X", "unit": None, "kind": "levels", "levels": [f"level {i}" for i in range(8)]}
    data = LevelsMarginal.model_validate(names | shares | {"missing": dict.fromkeys(GROUPS, 0.0), "distance": 0.1})
    figure = Drawing(marginal(data, key="a"))
    kept = [1, 3, 4, 5, 7]
    assert [label for label, _ in figure.rows] == [*(f"level {i}" for i in kept), "3 others"]
    for name in GROUPS:
        expected = [*(shares[name][i] for i in kept), sum(shares[name][i] for i in (0, 2, 6))]
        assert at(
            figure.marks(name), [(figure.x()(share), y - 4.17) for share, (_, y) in zip(expected, figure.rows, strict=True)]
        )


@pytest.mark.parametrize("part", ["synthetic", "drift"])
def test_the_bar_of_a_gate_sets_its_numbers_on_one_scale(report, page, part):
    gates = report[part]["gates"]
    bars = {unescape(re.search(r"<title>(.*?): ", bar)[1]): bar for bar in page.bars}
    for gate in gates:
        bar = bars[gate["label"]]
        bounds = gate["threshold"] if isinstance(gate["threshold"], list) else [gate["threshold"]]
        low, high = re.search(r'M([\d.]+) 13H([\d.]+)" stroke="var\(--(?:pass|warn|fail)', bar).groups()
        places = [*re.findall(r"M([\d.]+) 3V23", bar), *re.findall(r'cx="([\d.]+)"', bar), low, high]
        values = [*bounds, gate["value"], gate["low"], gate["high"]]
        assert [float(place) for place in places] == pytest.approx([7 + 136 * value for value in values], abs=0.06)
        assert set(re.findall(r"var\(--(pass|warn|fail)\)", bar)) == {gate["verdict"]}
        said = re.search(r"<title>.*?: (.*)</title>", bar)[1]
        assert says(said, gate["value"], gate["low"], gate["high"], *bounds)


def test_the_bar_of_a_gate_beyond_1_reaches_past_the_largest_number():
    gate = Gate(name="g", label="G", value=2.0, low=1.0, high=4.0, threshold=3.0, verdict="warn", detail="")
    bar = gate_bar(gate)
    places = [
        re.search(pattern, bar)[1]
        for pattern in (r'cx="([\d.]+)"', r"M([\d.]+) 3V23", r"M([\d.]+) 13H[\d.]+\" stroke=\"var\(--warn")
    ]
    assert [float(place) for place in places] == pytest.approx([7 + 136 * value / 4.4 for value in (2.0, 3.0, 1.0)], abs=0.06)


def test_the_reading_of_numbers_knows_signs_and_thousands():
    assert numbers("−1,234.50 (0 to 3 %)") == [(-1234.5, 2), (0.0, 0), (3.0, 0)]
    assert says("0.842 (0.81 to 0.87)", 0.8421, 0.8149, 0.8701)
    assert not says("0.842 (0.87 to 0.81)", 0.8421, 0.8149, 0.8701)
    assert not says("0.842", 0.8421, 0.8149)


@pytest.mark.parametrize(("metric", "words"), [("auroc", "better →"), ("brier", "← better")])
def test_the_axis_of_a_forest_plot_says_which_side_is_better(metric, words):
    svg = forest({"mgvae": Estimate(value=0.1)}, metric, span=(-1, 1), key="a", title="T", reference="no correction")
    assert re.findall(r">([^<]*better[^<]*)</text>", svg) == [words]
    assert f">{METRIC_NAMES[metric][1]}, arm less no correction</text>" in svg


def test_a_histogram_names_the_unit_of_its_column(report, html):
    for one in report["synthetic"]["marginals"]:
        if one["kind"] == "numeric" and one["unit"]:
            (svg,) = re.findall(rf'<svg [^>]*aria-label="{one["label"]}: majority.*?</svg>', html, re.DOTALL)
            assert f">{one['unit']}</text>" in svg, one["label"]
