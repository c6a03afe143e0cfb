import json
from typing import get_args

import pytest

from mgvae.config.classifiers import BuiltIn
from mgvae.config.sections import Arm
from mgvae.config.strict import build
from mgvae.errors import ConfigError
from mgvae.report.formatting import METRICS, VARIANTS
from mgvae.report.palette import ARM_STYLES
from mgvae.report.schema import Report
from mgvae.results.evaluation import Metric, Variant
from mgvae.results.labels import ARMS, CLASSIFIERS
from tests import report_sample
from tests.report_plain import render

samples = vars(report_sample)


@pytest.mark.parametrize("make", ["sample_report", "refused_report", "sparse_report"])
def test_a_report_survives_json(make):
    report = json.loads(json.dumps(samples[make](), allow_nan=False))
    facts = build(Report, report, source="report.json")
    assert build(Report, json.loads(facts.model_dump_json()), source="report.json") == facts


def test_every_arm_classifier_variant_and_metric_has_a_name():
    assert set(ARMS) == set(get_args(Arm)) == set(ARM_STYLES)
    assert set(CLASSIFIERS) == set(get_args(BuiltIn))
    assert CLASSIFIERS["my_tabpfn"] == "My tabpfn", "a user's own is named by its name"
    assert set(METRICS) == set(get_args(Metric))
    assert set(VARIANTS) == set(get_args(Variant))


def _without(path):
    report = samples["sample_report"](columns=2)
    *parents, last = path
    place = report
    for key in parents:
        place = place[key]
    return report, place, last


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("cohort", "prevalence"), 1.2, r"cohort\.prevalence: .*less than or equal to 1"),
        (("cohort", "n"), float("nan"), r"cohort\.n"),
        (("evaluation", "folds"), None, r"evaluation\.folds"),
        (("status",), "invalid", "exactly where validation.passed is false"),
        (("status",), "pass", "but a gate failed"),
        (("drift", "gates", 0, "verdict"), "fail", "but a gate failed"),
        (("drift", "reference", "run"), "x", "unknown key. Did you mean 'run_id'"),
        (("synthetic", "gates", 0, "verdict"), "maybe", "verdict: .*'pass', 'warn', 'cannot_tell' or 'fail'"),
        (("synthetic", "marginals", 0, "edges"), [0.0, 1.0], "one length"),
        (("recommendation", "arm"), "vae", "not among evaluation.arms"),
        (("lineage", "sede"), 3, "unknown key. Did you mean 'seed'"),
    ],
)
def test_a_broken_report_is_refused_by_name(path, value, message):
    report, place, last = _without(path)
    if path[0] == "drift":
        report["status"] = "warn"
        report["synthetic"]["gates"][2]["verdict"] = "warn"
    place[last] = value
    with pytest.raises(ConfigError, match=message):
        render(report)


def test_a_report_of_an_earlier_version_knows_no_drift():
    report = samples["sample_report"](columns=2)
    del report["drift"]
    assert build(Report, report, source="report.json").drift is None


def test_a_missing_key_is_named():
    report = samples["sample_report"](columns=2)
    del report["cohort"]["events"]
    with pytest.raises(ConfigError, match=r"cohort\.events: this key is required"):
        render(report)


def test_a_share_that_rounding_put_outside_is_mended():
    report = samples["sample_report"](columns=2)
    curve = report["evaluation"]["curves"]["none"]["logistic_regression"]["raw"]
    curve["low"][0], curve["high"][-1] = -1e-17, 1.0000000000000002
    facts = build(Report, report, source="report.json").evaluation.curves["none"]["logistic_regression"]["raw"]
    assert (facts.low[0], facts.high[-1]) == (0.0, 1.0)
