"""Every cell of the page that names an arm, a classifier, a variant and a measure holds that number of report.json."""

import re
from itertools import pairwise

import pytest

from tests.report_distinct import CHOSEN, distinct_refusal, distinct_report
from tests.report_plain import render
from tests.report_reading import ARM_NAMES, CLASSIFIER_NAMES, METRIC_NAMES, Reading, says, says_estimate
from tests.report_sample import refused_report

DRAWN = 7
RANKS_ARE = "recalibrated"  # ranks are alike for all variants; those of one are shown
SOURCES = {"cross-validation": "arms", "hold-out": "holdout"}
VARIANT_NAMES = {"Raw": "raw", "Prior-shift offset": "offset", "Recalibrated": "recalibrated"}
VERDICT_NAMES = {"pass": "pass", "warn": "warning", "fail": "fail"}
by_source_and_classifier = pytest.mark.parametrize(
    ("source", "classifier"), [(source, classifier) for source in SOURCES for classifier in CLASSIFIER_NAMES]
)


@pytest.fixture(scope="module")
def report():
    return distinct_report()


@pytest.fixture(scope="module")
def html(report):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mgvae.report.panels.MOST_MARGINALS", DRAWN)
        return render(report)


@pytest.fixture(scope="module")
def page(html):
    return Reading(html)


def arms_of(report, source, classifier):
    return {
        ARM_NAMES[arm]: found[classifier] for arm, found in report["evaluation"][SOURCES[source]].items() if classifier in found
    }


@by_source_and_classifier
def test_the_headline_table_holds_the_recalibrated_measures_of_its_arm(report, page, source, classifier):
    table = page.tables[f"{CLASSIFIER_NAMES[classifier]}, recalibrated, {source}"]
    shorts = {short: metric for metric, (_, short) in METRIC_NAMES.items()}
    metrics = [shorts[cell[0]] for cell in table.rows[0][1:]]
    arms, body = arms_of(report, source, classifier), table.body()
    assert list(body) == list(arms)
    for name, variants in arms.items():
        assert len(body[name]) == len(metrics) >= 7
        for metric, cell in zip(metrics, body[name], strict=True):
            assert says_estimate(cell, variants["recalibrated"][metric]), (name, metric, cell)


def test_the_recommended_row_is_marked_and_no_other(page):
    rows = [(caption, row[0]) for caption, table in page.tables.items() for row in table.rows if "recommended" in row[0]]
    classifier, arm = CLASSIFIER_NAMES[CHOSEN["classifier"]], ARM_NAMES[CHOSEN["arm"]]
    assert rows == [(f"{classifier}, recalibrated, {source}", [arm, "recommended"]) for source in SOURCES]


@by_source_and_classifier
def test_the_table_of_all_measures_holds_each_variant_of_each_arm(report, page, source, classifier):
    head, *rows = page.tables[f"{CLASSIFIER_NAMES[classifier]}, all measures, {source}"].rows
    arms, seen, variant = arms_of(report, source, classifier), [], None
    labels = {label: metric for metric, (label, _) in METRIC_NAMES.items()}
    assert [cell[0] for cell in head[1:]] == list(arms)
    for first, *cells in rows:
        if not cells:
            variant = RANKS_ARE if first[0] == "Ranks" else VARIANT_NAMES[first[0]]
            continue
        metric = labels[first[0]]
        seen.append((variant, metric))
        for name, cell in zip(arms, cells, strict=True):
            assert says_estimate(" ".join(cell), arms[name][variant][metric]), (name, variant, metric, cell)
    ranks = [metric for metric in METRIC_NAMES if metric in ("auroc", "auprc") or "_at_alert" in metric or "_at_spec" in metric]
    rest = [metric for metric in METRIC_NAMES if metric not in ranks]
    assert seen == [(RANKS_ARE, metric) for metric in ranks] + [(v, metric) for v in VARIANT_NAMES.values() for metric in rest]


@pytest.mark.parametrize("classifier", CLASSIFIER_NAMES)
def test_a_group_row_spans_the_arms_of_its_classifier(report, html, classifier):
    """SMOTE has no gradient boosting: no column."""
    section = html[html.index(f'aria-labelledby="classifier-{classifier}"') :].partition("</details>")[0]
    arms = arms_of(report, "cross-validation", classifier)
    assert set(re.findall(r'colspan="(\d+)" class="group"', section)) == {str(len(arms) + 1)}
    assert "drawn for No correction and MGVAE;" in section


@pytest.mark.parametrize("classifier", CLASSIFIER_NAMES)
def test_the_table_of_repairs_sets_raw_beside_recalibrated(report, page, classifier):
    head, under, *rows = page.tables[f"{CLASSIFIER_NAMES[classifier]}, raw and recalibrated, cross-validation"].rows
    arms = arms_of(report, "cross-validation", classifier)
    labels = {label: metric for metric, (label, _) in METRIC_NAMES.items()}
    columns = [(labels[cell[0]], variant) for cell in head[1:] for variant in ("raw", "recalibrated")]
    assert [cell[0] for cell in under] == [variant for _, variant in columns]
    assert [row[0][0] for row in rows] == list(arms)
    for first, *cells in rows:
        for (metric, variant), cell in zip(columns, cells, strict=True):
            assert says_estimate(" ".join(cell), arms[first[0]][variant][metric]), (first, metric, variant, cell)


@pytest.mark.slow
@pytest.mark.parametrize("sources", [tuple(SOURCES), ("cross-validation",)], ids=len)
def test_cross_validation_and_hold_out_stand_side_by_side_with_their_events(report, page, sources):
    if "hold-out" not in sources:
        report = distinct_report(columns=2)
        report["evaluation"] |= {"holdout": {}, "curves": {}, "differences": {}}
        page = Reading(render(report))
    events = {"cross-validation": report["cohort"]["events_train"], "hold-out": report["cohort"]["events_test"]}
    caption = "MGVAE, no EWC with gradient boosting, recalibrated, with 95 % intervals"
    head, *rows = page.tables[caption].rows
    assert [cell[0] for cell in head[1:]] == [f"{source.capitalize()}, {events[source]:,} events" for source in sources]
    labels = {label: metric for metric, (label, _) in METRIC_NAMES.items()}
    assert {labels[row[0][0]] for row in rows} >= {"auroc", "scaled_brier", "observed_expected", "calibration_slope"}
    for first, *cells in rows:
        for source, cell in zip(sources, cells, strict=True):
            scores = report["evaluation"][SOURCES[source]][CHOSEN["arm"]][CHOSEN["classifier"]]["recalibrated"]
            assert says_estimate(" ".join(cell), scores[labels[first[0]]]), (first, source, cell)


def test_the_tiles_count_patients_events_and_gates(report, page):
    cohort, gates = report["cohort"], report["synthetic"]["gates"]
    assert says(page.facts["Patients"], cohort["n"], cohort["n_train"], cohort["n_test"])
    assert f"{cohort['n_train']:,} to train, {cohort['n_test']:,} to test" in page.facts["Patients"]
    assert says(page.facts["Events"], cohort["events"], 100 * cohort["prevalence"])
    passed = sum(gate["verdict"] == "pass" for gate in gates)
    assert 0 < passed < len(gates)
    assert says(page.facts["Gates passed"], passed, len(gates), report["synthetic"]["n"])


def test_the_recommendation_names_its_model_and_the_difference_that_decided(report, page):
    found = report["recommendation"]["difference"]
    assert "Train with MGVAE synthetic cases (no EWC): gradient boosting, recalibrated on real patients." in page.text
    text = page.text.partition("Paired difference that decided: ")[2].partition(" when all arms are allowed for")[0]
    assert text.startswith("MGVAE with logistic regression, Scaled Brier score +0.412 (")
    assert says(text, found["value"], found["low"], found["high"], found["family_low"])
    more = page.text.partition(" when all arms are allowed for; ")[2]
    assert more.startswith("evidence +1.71 standard errors, needed 2.34; expected gain in AUROC +0.052 (−0.017 to +0.126)")
    barred = [item for item in page.items if item[0].endswith("reason")]
    assert barred == [["SMOTE: its reason"], ["MGVAE: another reason"]]


@pytest.mark.parametrize("part", ["synthetic", "drift"])
def test_a_gate_is_judged_by_its_own_numbers(report, page, part):
    captions = {"synthetic": "Gates: value", "drift": "Gates on drift: value"}
    (table,) = [table for caption, table in page.tables.items() if caption.startswith(captions[part])]
    gates, body = report[part]["gates"], table.body()
    assert list(body) == [gate["label"] for gate in gates]
    for gate in gates:
        verdict, value, threshold, *_ = body[gate["label"]]
        bounds = gate["threshold"] if isinstance(gate["threshold"], list) else [gate["threshold"]]
        assert verdict == VERDICT_NAMES[gate["verdict"]]
        assert says_estimate(value, gate), (gate["name"], value)
        assert says(threshold.removesuffix(gate.get("rule", "")), *bounds), (gate["name"], threshold)
    assert [row[0][1:] for row in table.rows[1:]] == [[gate["detail"]] if gate["detail"] else [] for gate in gates]


def test_a_column_that_drifted_has_its_own_numbers(report, page):
    features = {feature["label"]: feature for feature in report["drift"]["features"]}
    body = page.tables["All columns compared"].body()
    assert list(body) == list(features)
    for label, feature in features.items():
        verdict, index, noise, ks, before, now = body[label]
        assert verdict == VERDICT_NAMES[feature["verdict"]]
        assert says(index, feature["psi"], feature["psi_low"], feature["psi_high"]), (label, index)
        assert says(noise, feature["noise"])
        assert says(ks, feature["ks"])
        assert says(before, 100 * feature["missing_before"])
        assert says(now, 100 * feature["missing_after"])
    drifted = [feature for feature in features.values() if feature["verdict"] != "pass"]
    drifted.sort(key=lambda feature: (feature["verdict"] != "fail", -feature["psi"]))
    worst = page.tables["Columns that drifted"].body()
    assert list(worst) == [feature["label"] for feature in drifted]
    assert all(worst[label] == body[label] for label in worst)


def test_drift_counts_the_rows_before_and_now(report, page):
    rows, reference = report["drift"]["rows"], report["drift"]["reference"]
    assert f"{rows['before']:,} rows then, {rows['after']:,} now." in page.text
    assert f"sha256 {reference['extract_sha256'][:12]}" in page.text


def test_a_training_step_has_its_own_numbers(report, page):
    body = page.tables["Training in two steps"].body()
    steps = {"Pre-training on the majority": "pretrain", "Fine-tuning on the rare cases": "finetune"}
    times = {"pretrain": "41 s", "finetune": "2 min 7 s"}
    assert list(body) == list(steps)
    for label, name in steps.items():
        step = report["training"][name]
        epochs, kept, elbo, weight, time = body[label]
        assert says(epochs, step["epochs"])
        assert says(kept, step["best_epoch"])
        assert says(elbo, step["heldout_elbo"])
        assert says(weight, step.get("ewc_lambda"))
        assert time == times[name]
    assert f"{report['training']['parameters']:,} parameters" in page.text


def test_a_marginal_has_its_own_distance_and_missing_shares(report, page):
    ranked = sorted(report["synthetic"]["marginals"], key=lambda marginal: -marginal["distance"])
    captions = {caption[0]: caption[1] for caption in page.captions if len(caption) == 2}
    assert list(captions) == [marginal["label"] for marginal in ranked[:DRAWN]]
    for marginal in ranked[:DRAWN]:
        missing = [100 * marginal["missing"][name] for name in ("majority", "cases", "synthetic")]
        assert captions[marginal["label"]].endswith(" %")
        assert says(captions[marginal["label"]], marginal["distance"], *missing), (
            marginal["label"],
            captions[marginal["label"]],
        )
    body = page.tables["Distances of the columns not drawn"].body()
    assert list(body) == [marginal["label"] for marginal in ranked[DRAWN:]]
    for marginal in ranked[DRAWN:]:
        name, distance, *missing = body[marginal["label"]]
        assert name == marginal["column"]
        assert says(distance, marginal["distance"])
        shares = [100 * marginal["missing"][group] for group in ("majority", "cases", "synthetic")]
        assert all(says(cell, value) for cell, value in zip(missing, shares, strict=True)), (name, missing)


def test_the_flow_counts_patients_and_events_of_each_step(report, page):
    cohort = report["cohort"]
    steps = {step["label"]: (step["n"], step["events"]) for step in cohort["flow"]}
    parts = {
        part: (cohort[f"n_{key}"], cohort[f"events_{key}"]) for part, key in (("Training part", "train"), ("Test part", "test"))
    }
    boxes = {item[0]: item[1] for item in page.items if item[0] in steps | parts}
    assert list(boxes) == [*steps, *parts]
    for label, (n, events) in steps.items():
        assert says(boxes[label], n, events, None if events is None else 100 * events / n), boxes[label]
    for label, counts in parts.items():
        assert boxes[label] == "{:,} patients, {:,} events".format(*counts)
    counts = [step["n"] for step in cohort["flow"]]
    left = [item[0] for item in page.items if item and item[0].endswith("left out")]
    assert left == [f"{before - after:,} left out" for before, after in pairwise(counts)]


def test_cohort_and_predictors(report, page):
    cohort = report["cohort"]
    assert page.facts["Horizon"] == f"{cohort['horizon_days']} days"
    assert page.facts["Look-back"] == f"{cohort['lookback_days']} days"
    assert page.facts["Groups of several patients"] == f"{cohort['groups']:,}, none divided by a split"
    assert page.facts["Predictors"] == str(len(cohort["columns"]))
    body = page.tables["Predictors"].body()
    assert list(body) == [column["label"] for column in cohort["columns"]]
    for column in cohort["columns"]:
        name, kind, unit, missing = body[column["label"]]
        assert (name, kind, unit) == (column["name"], column["kind"], column["unit"] or "–")
        assert missing.endswith(" %")
        assert says(missing, 100 * column["missing"])
    assert f"The test part holds {cohort['events_test']} events." in page.text


def test_validation_counts_expectations_rows_and_what_breaks_each_rule(report, page):
    checked = report["validation"]
    assert f"{checked['expectations']} expectations built" in page.text
    assert f"checked on {checked['rows']:,} rows" in page.text
    refused = refused_report() | {"validation": distinct_refusal()}
    page, failed = Reading(render(refused)), refused["validation"]["failed"]
    rows = [[rule["column"], rule["rule"], "–" if rule["count"] is None else str(rule["count"])] for rule in failed]
    assert [[" ".join(cell) for cell in row] for row in page.tables["Expectations that failed"].rows[1:]] == rows
    assert says(page.facts["Expectations failed"], len(failed), refused["validation"]["expectations"])
    assert says(page.facts["Rows read"], refused["validation"]["rows"])


def test_lineage_names_what_each_stage_made_and_where(report, page):
    lineage = report["lineage"]
    assert page.facts["Extract (sha256)"] == lineage["extract_sha256"]
    assert page.facts["Configuration (sha256)"] == lineage["config_sha256"]
    assert page.facts["Libraries"] == ", ".join(f"{name} {version}" for name, version in sorted(lineage["versions"].items()))
    assert page.facts["Seed"] == str(lineage["seed"])
    body = page.tables["Stages of the run"].body()
    assert list(body) == [stage["name"] for stage in lineage["stages"]]
    for stage in lineage["stages"]:
        time, processor, memory, result, place, digest = body[stage["name"]]
        assert time.endswith(" s")
        if cost := stage["cost"]:
            assert says(processor, cost["processor_seconds"])
            assert says(memory, cost["peak_mib"] / (1024 if memory.endswith("GiB") else 1))
        else:
            assert (processor, memory) == ("–", "–")
        assert says(time, stage["seconds"])
        assert result == ("reused" if stage["cached"] else "computed")
        assert place == f"{stage['ran']['worker']} ({stage['ran']['pool']})"
        assert digest == lineage["artifacts"].get(stage["name"], "–")


def test_the_guidelines_cite_the_numbers_of_the_evaluation(report, page):
    evaluation, cohort = report["evaluation"], report["cohort"]
    assert f"{evaluation['folds']} folds, {evaluation['repeats']} repeats, the whole chain" in page.text
    assert f"Intervals: {evaluation['bootstrap']} bootstrap resamples." in page.text
    remarks = {
        name: cells[3]
        for caption in ("TRIPOD+AI", "PROBAST+AI: imbalance, leakage, domains")
        for name, cells in page.tables[caption].body().items()
    }
    assert remarks["12c"].startswith(f"{evaluation['folds']}-fold cross-validation, {evaluation['repeats']} repeats")
    assert f"{evaluation['bootstrap']} bootstrap resamples" in remarks["12e"]
    assert says(remarks["Evaluation data"], 100 * cohort["prevalence"])
    assert remarks["Leakage"].startswith(f"{cohort['groups']:,} groups")
    assert says(remarks["Resampling"], evaluation["folds"], evaluation["repeats"])


def test_no_two_measures_of_the_sample_are_alike(report):
    found = [
        variants for source in ("arms", "holdout") for by in report["evaluation"][source].values() for variants in by.values()
    ]
    measures = [estimate for variants in found for scores in variants.values() for estimate in scores.values()]
    differences = [
        estimate
        for by in report["evaluation"]["differences"].values()
        for scores in by.values()
        for estimate in scores.values()
    ]
    for estimates, digits in ((measures, 1), (differences, 3)):
        values = [round(estimate["value"], digits) for estimate in estimates]
        assert len(values) == len(set(values)) > 50
        assert all(estimate["low"] < estimate["value"] < estimate["high"] for estimate in estimates)


def test_the_head_of_a_table_says_which_way_is_better(page):
    tables = [table for caption, table in page.tables.items() if re.search("recalibrated(, (cross|hold)|$)", caption)]
    heads = {cell[0]: cell[1] for table in tables for cell in table.rows[0][1:]}
    higher = ("AUROC", "Scaled Brier", "Net benefit", "Bal. accuracy", "G-mean")
    ideal = {"O/E": "ideal 1", "Cal. slope": "ideal 1", "Calibration intercept": "ideal 0", "Brier score": "↓", "Log loss": "↓"}
    ideal |= {"Observed / expected events": "ideal 1", "Calibration slope": "ideal 1"}
    chance = {"AUPRC": f"↑, by chance {distinct_report()['cohort']['prevalence']:.3f}"}
    assert heads == dict.fromkeys(higher, "↑") | ideal | chance


def test_a_setting_is_printed_as_the_number_it_is(report, page):
    settings = report["evaluation"]["thresholds"] | report["recommendation"]["threshold"]
    plain = {key[:1].upper() + key[1:]: value for key, value in settings.items() if not isinstance(value, str)}
    assert len(plain) == 4
    assert {key: float(page.facts[key]) for key in plain} == plain
