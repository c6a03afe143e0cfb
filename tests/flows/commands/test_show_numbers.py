"""Every cell that the terminal and Prefect's pages print holds the number of report.json that its row and column name."""

import io
import re

import pytest
from rich.console import Console

from flows.study.prefect_text import arms_table, calibration_text, summary
from mgvae.report.formatting import duration, spelled
from mgvae.report.schema import read_report
from tests.report_distinct import distinct_refusal, distinct_report
from tests.report_plain import render, show
from tests.report_reading import ARM_NAMES, CLASSIFIER_NAMES, METRIC_NAMES, says, says_estimate
from tests.report_sample import refused_report

SOURCES = {"cross-validation": "arms", "hold-out": "holdout"}
VERDICT_NAMES = {"pass": "pass", "warn": "warning", "fail": "fail"}
models = [(source, classifier) for source in SOURCES for classifier in CLASSIFIER_NAMES]


def printed(report):
    console = Console(file=io.StringIO(), width=300)
    show(report, console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def report():
    return distinct_report()


@pytest.fixture(scope="module")
def text(report):
    return printed(report)


def table(text, title):
    """Return the head of a table and its rows by their first cell; a cell of two lines is one text."""
    lines = text.splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.strip() == title]
    rule = next(place for place in range(start, len(lines)) if "───" in lines[place])
    rows, label = {}, ""
    for line in lines[rule + 1 :]:
        if not line.strip():
            break
        cells = re.split(r" {2,}", line.strip())
        if line.startswith("   "):
            rows[label] = [f"{one} {other}" for one, other in zip(rows[label], cells, strict=True)]
        else:
            label = cells[0]
            rows[label] = cells[1:]
    return re.split(r" {2,}", lines[rule - 1].strip()), rows


@pytest.mark.parametrize(("source", "classifier"), models)
def test_an_arm_has_its_own_recalibrated_measures(report, text, source, classifier):
    head, rows = table(text, f"{CLASSIFIER_NAMES[classifier]}, recalibrated, {source}")
    metrics = {short: metric for metric, (_, short) in METRIC_NAMES.items()}
    arms = report["evaluation"][SOURCES[source]]
    assert list(rows) == [ARM_NAMES[arm] for arm in arms]
    for arm, by_classifier in arms.items():
        cells = dict(zip((metrics[name] for name in head[1:]), rows[ARM_NAMES[arm]], strict=True))
        if classifier not in by_classifier:
            assert set(cells.values()) == {"–"}
            continue
        for metric, cell in cells.items():
            assert says_estimate(cell, by_classifier[classifier]["recalibrated"][metric]), (arm, metric, cell)


@pytest.mark.parametrize("classifier", CLASSIFIER_NAMES)
def test_an_arm_has_its_own_differences(report, text, classifier):
    head, rows = table(text, f"{CLASSIFIER_NAMES[classifier]}, paired difference from no correction")
    metrics = {label: metric for metric, (label, _) in METRIC_NAMES.items()}
    differences = report["evaluation"]["differences"]
    assert list(rows) == [ARM_NAMES[arm] for arm in differences]
    for arm, by_classifier in differences.items():
        for name, cell in zip(head[1:], rows[ARM_NAMES[arm]], strict=True):
            one = by_classifier.get(classifier, {}).get(metrics[name])
            assert cell == "–" if one is None else says_estimate(cell, one), (arm, name, cell)


@pytest.mark.parametrize(
    ("part", "title"),
    [("synthetic", "Gates on 11,187 synthetic cases"), ("drift", "Drift against the extract of run 77c04e11a0b2")],
)
def test_a_gate_is_judged_by_its_own_numbers(report, text, part, title):
    _, rows = table(text, title)
    assert list(rows) == [gate["label"] for gate in report[part]["gates"]]
    for gate in report[part]["gates"]:
        verdict, value, threshold = rows[gate["label"]]
        bounds = gate["threshold"] if isinstance(gate["threshold"], list) else [gate["threshold"]]
        assert verdict == VERDICT_NAMES[gate["verdict"]]
        assert says_estimate(value, gate), (gate["name"], value)
        assert says(threshold, *bounds), (gate["name"], threshold)


def test_a_column_that_drifted_has_its_own_numbers(report, text):
    _, rows = table(text, "Columns that drifted")
    features = {one["name"]: one for one in report["drift"]["features"] if one["verdict"] != "pass"}
    assert set(rows) == set(features)
    for name, one in features.items():
        verdict, *cells = rows[name]
        known = [one["psi"], one["noise"], one["ks"], 100 * one["missing_before"], 100 * one["missing_after"]]
        assert verdict == VERDICT_NAMES[one["verdict"]]
        assert all(says(cell, value) for cell, value in zip(cells, known, strict=True)), (name, cells)


def test_cohort_and_its_parts_have_their_own_counts(report, text):
    cohort = report["cohort"]
    _, rows = table(text, "Cohort")
    expected = {step["label"]: (step["n"], step["events"]) for step in cohort["flow"]}
    expected |= {
        "Training part": (cohort["n_train"], cohort["events_train"]),
        "Test part": (cohort["n_test"], cohort["events_test"]),
    }
    assert list(rows) == list(expected)
    for label, counts in expected.items():
        assert rows[label] == ["–" if one is None else f"{one:,}" for one in counts], label
    (share,) = re.findall(r"prevalence (\S+) %", text.replace("\u00a0", " "))
    assert says(share, 100 * cohort["prevalence"])


def test_a_training_step_has_its_own_numbers(report, text):
    _, rows = table(text, f"Training on cpu, {report['training']['parameters']:,} parameters")
    times = {"Pre-training": "41 s", "Fine-tuning": "2 min 7 s"}
    assert list(rows) == list(times)
    for (label, time), step in zip(
        times.items(), (report["training"]["pretrain"], report["training"]["finetune"]), strict=True
    ):
        epochs, elbo, weight, spent = rows[label]
        assert says(epochs, step["epochs"])
        assert says(elbo, step["heldout_elbo"])
        assert says(weight, step.get("ewc_lambda"))
        assert spent == time


def test_the_recommendation_and_the_difference_that_decided(report, text):
    found = report["recommendation"]["difference"]
    assert "Train with MGVAE synthetic cases (no EWC): gradient boosting, recalibrated on real patients." in text
    (said,) = re.findall(r"that decided: (MGVAE with logistic regression, Scaled Brier score .*) when all", text)
    assert says(said, found["value"], found["low"], found["high"], found["family_low"])


def test_lineage_counts_what_was_reused(report, text):
    lineage = report["lineage"]
    reused = sum(stage["cached"] for stage in lineage["stages"])
    assert f"extract {lineage['extract_sha256'][:16]} · " in text
    assert f"seed {lineage['seed']} · {lineage['machine']} · {reused} of {len(lineage['stages'])} stages reused" in text


def test_a_rule_that_is_broken_has_its_own_count():
    checked = distinct_refusal()
    _, rows = table(printed(refused_report() | {"validation": checked}), "Validation: 148 expectations, 4 failed")
    assert rows == {
        one["column"]: [one["rule"], "–" if one["count"] is None else str(one["count"])] for one in checked["failed"]
    }


def test_prefects_table_of_arms_has_the_recalibrated_measures_of_each_model(report):
    rows, arms = arms_table(read_report(report)), report["evaluation"]["arms"]
    models = [(arm, classifier) for arm, found in arms.items() for classifier in found]
    named = [(ARM_NAMES[arm], CLASSIFIER_NAMES[classifier]) for arm, classifier in models]
    assert [(row["Arm"], row["Classifier"]) for row in rows] == named
    metrics = {short: metric for metric, (_, short) in METRIC_NAMES.items()}
    for (arm, classifier), row in zip(models, rows, strict=True):
        assert len(row) > 5
        for short in set(row) - {"Arm", "Classifier"}:
            assert says_estimate(row[short], arms[arm][classifier]["recalibrated"][metrics[short]]), (arm, classifier, short)


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_prefects_page_shows_the_calibration_of_each_classifier_by_its_name(report, tmp_path, monkeypatch):
    monkeypatch.setenv("MGVAE_REPORTS_URL", "http://127.0.0.1:1/key")
    monkeypatch.delenv("MGVAE_REPORTS", raising=False)
    folder, chosen = tmp_path / "study" / "run", report["recommendation"]
    head, *parts = calibration_text(read_report(report), folder).split("\n## ")
    assert "cross-validated" in head
    metrics = {short: metric for metric, (_, short) in METRIC_NAMES.items()}
    for (classifier, name), part in zip(CLASSIFIER_NAMES.items(), parts, strict=True):
        best = classifier == chosen["classifier"]
        title, *lines = part.splitlines()
        assert title == f"{name} (recommended)" if best else name
        tables = "\n".join(lines).split("\n\n")
        columns, _, *rows = [cells(line) for line in tables[0].splitlines() if line]
        found = {arm: by[classifier] for arm, by in report["evaluation"]["arms"].items() if classifier in by}
        assert [row[0] for row in rows] == [ARM_NAMES[arm] for arm in found]
        assert len(columns) == 5
        for row, by_variant in zip(rows, found.values(), strict=True):
            for short, cell in zip(columns[1:], row[1:], strict=True):
                assert says_estimate(cell, by_variant["recalibrated"][metrics[short]]), (classifier, short)
        arm = chosen["arm"] if best else "none"
        assert tables[1] == f"{ARM_NAMES[arm]}, by rising risk:"
        curve = report["evaluation"]["curves"][arm][classifier]["recalibrated"]
        rows = [cells(line) for line in tables[2].splitlines()[2:]]
        for place, (n, predicted, observed) in enumerate(rows):
            assert says(n, curve["n"][place])
            assert says(predicted, 100 * curve["predicted"][place])
            assert says(observed, *(100 * curve[name][place] for name in ("observed", "low", "high")))
        assert len(rows) == len(curve["n"])
        assert tables[3] == f"[Figures in the report](http://127.0.0.1:1/key/study/run/report.html#classifier-{classifier})"


def test_the_figures_that_prefects_page_links_are_in_the_report(report):
    page = render(report)
    assert all(f'id="classifier-{classifier}"' in page for classifier in CLASSIFIER_NAMES)


def test_no_page_is_long_and_none_holds_a_picture(report, tmp_path):
    texts = (calibration_text(read_report(report), tmp_path), summary(read_report(report), tmp_path, remarks=[]))
    for text in texts:
        assert len(text) < 10_000
        assert max(map(len, text.split())) < 200
        assert "base64" not in text
    assert calibration_text(read_report(refused_report()), tmp_path) is None


def test_without_a_model_to_use_none_is_called_recommended(report, tmp_path):
    useless = report | {"recommendation": report["recommendation"] | {"answer": "deploy_none"}}
    text = calibration_text(read_report(useless), tmp_path)
    assert text.count(" (the best)") == 1
    assert "recommended" not in text


def test_prefects_summary_has_the_counts_of_the_run(report, tmp_path):
    lines, cohort = summary(read_report(report), tmp_path, remarks=[]).splitlines(), report["cohort"]
    (counts,) = [line for line in lines if "subjects" in line]
    assert counts.endswith("%)")
    assert says(counts.removeprefix("- "), cohort["n"], cohort["events"], 100 * cohort["prevalence"])
    verdicts = [gate["verdict"] for gate in report["synthetic"]["gates"]]
    parts = ", ".join(f"{verdicts.count(one)} {VERDICT_NAMES[one]}" for one in VERDICT_NAMES if one in verdicts)
    assert f"- {report['synthetic']['n']:,} synthetic cases; gates: {parts}" in lines
    assert any(line.startswith("- Train with MGVAE synthetic cases (no EWC): gradient boosting, ") for line in lines)
    stages = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    for cells, stage in zip(stages, report["lineage"]["stages"], strict=True):
        result = "reused" if stage["cached"] else "computed"
        assert cells == [spelled(stage["name"]), duration(stage["seconds"]), result, stage["ran"]["worker"]]


def test_stability_and_sample_size_in_sentences(report, text):
    size = report["learning_curve"]["sample_size"]
    assert f"{size['events']} events for {size['parameters']} candidate parameters" in text
    assert "would have decided otherwise for 3.8" in text
    assert text.count("training events instead of") == len(report["learning_curve"]["lines"])
    assert "candidate parameters" not in printed(refused_report())
