"""Which TRIPOD+AI and PROBAST+AI items the report covers, and which are for the authors.

An item counts as covered only where its numbers are in this report; the remark says what the study team has to write itself.

Source: TRIPOD+AI, BMJ 2024;385:e078378; PROBAST+AI, BMJ 2025, doi 10.1136/bmj-2024-082505.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from mgvae.findings import Domain
from mgvae.report.formatting import plural, share
from mgvae.report.schema import Report
from mgvae.report.tripod_items import ASKS, CARD
from mgvae.results.cohort import CohortSummary
from mgvae.results.findings import counting

Answer = Literal["yes", "partly", "no", "authors"]


@dataclass(frozen=True)
class Item:
    """An item of a guideline, and how far the page covers it.

    Attributes:
        code, asks: of the guideline.
        answer: yes, partly or no; authors where no run can answer it, and its text is missing.
        section: anchor of the section; None for none.
        remark: what the section holds, or what is missing.
    """

    code: str
    asks: str
    answer: Answer
    section: str | None
    remark: str


def tripod(report: Report) -> list[Item]:
    """Return all 52 sub-items of TRIPOD+AI with the run's or the authors' answer."""
    answered = {
        item.code: item for item in (*_data_items(report), *_analysis_items(report), *_model_items(report), *_results(report))
    }
    return [_with_card(answered.get(code) or _item(code, "authors", None, ""), report) for code in ASKS]


def _with_card(item: Item, report: Report) -> Item:
    """Return an item with the authors' text, or with the prompt for it."""
    if item.code == "1":
        prompt = "For the authors: the paper's title."
        return replace(item, remark=f"{prompt} The study is called: {report.title}" if report.title else prompt)
    key = CARD.get(item.code)
    text = getattr(report.card, key) if key and report.card else None
    if text:
        return replace(item, answer="yes" if item.answer == "authors" else item.answer, remark=f"{item.remark} {text}".strip())
    if item.answer == "authors":
        return replace(item, remark=f"For the authors: write it as card.{key} in cohort.yaml.")
    return replace(item, remark=f"{item.remark} Complete it as card.{key} in cohort.yaml.") if key else item


def _item(code: str, answer: Answer, section: str | None, remark: str) -> Item:
    return Item(code, ASKS[code], answer, section if answer in ("yes", "partly") else None, remark)


def groups_kept(cohort: CohortSummary) -> str:
    """Return the sentence that says whether related patients stay on one side of every split."""
    if cohort.groups is None:
        return "No group was named: related rows may lie on both sides of a split."
    if cohort.groups == 0:
        return "A group was named, and no two patients share one."
    found = f"{plural(cohort.groups, 'group')} of two or more patients"
    if cohort.groups_divided:
        return f"Of {found}, not all stay on one side of every split: the report's warnings name where."
    return f"{found[:1].upper()}{found[1:]} {'stays' if cohort.groups == 1 else 'stay'} on one side of every split."


def probast(report: Report) -> list[Item]:
    """Return PROBAST+AI's questions on imbalance and leakage, and by domain which findings bear on it."""
    evaluation, cohort = report.evaluation, report.cohort
    if evaluation is None:
        return []
    variants = [set(v) for by_classifier in evaluation.arms.values() for v in by_classifier.values()]
    recalibrated = bool(variants) and all("recalibrated" in found for found in variants)
    both = "Raw and recalibrated shown; the recommendation judges the recalibrated."
    imbalance = both if recalibrated else "Not for every arm."
    leakage = f"{groups_kept(cohort)} Whether each predictor was known at the index date is for the study team to confirm."
    real = f"Real patients only, at the natural prevalence of {share(cohort.prevalence)}."
    chain = f"The whole chain is fitted anew in each of {evaluation.folds} folds, {plural(evaluation.repeats, 'time')}."
    done = _covered(recalibrated, "partly")
    return [
        Item("Imbalance", "Recalibrated after methods for imbalance?", done, "evaluation", imbalance),
        Item("Evaluation data", "Evaluated in data without correction?", "yes", "evaluation", real),
        Item("Leakage", "Leakage avoided?", "partly", "cohort", leakage),
        Item("Resampling", "Every step repeated inside resampling?", "yes", "evaluation", chain),
        *(_domain(report, domain) for domain in get_args(Domain)),
    ]


def _domain(report: Report, domain: Domain) -> Item:
    found = [one for one in report.findings if one.domain == domain]
    counted = counting(found)
    muted = f" Muted: {', '.join(one.code for one in found if one.muted is not None)}." if len(found) > len(counted) else ""
    listed = " ".join(f"{one.code} ({one.severity}): {one.title}." for one in counted)
    remark = f"{listed or 'No finding counts; that is no judgement of low risk.'}{muted} The judgement is the reviewers'."
    return Item(f"Domain {domain}", "Risk of bias: which automatic checks bear on it?", "partly", None, remark)


def _covered(condition: object, otherwise: Answer = "no") -> Answer:
    return "yes" if condition else otherwise


def _data_items(report: Report) -> list[Item]:
    cohort, checks = report.cohort, report.validation
    within = "without a horizon" if cohort.horizon_days is None else f"within {plural(cohort.horizon_days, 'day')}"
    outcome = f"The outcome is “{cohort.outcome}”, {within}; how it was found in the patients is not known here."
    read = "Read from the extract by one rule for all patients, without judgement; who judged before that is not known here."
    missing: tuple[Answer, str] = ("no", "The extract was not read that far.")
    if cohort.columns and all(column.missing is not None for column in cohort.columns):
        missing = ("partly", "Share missing of each predictor; reasons are not known here.")
    size, at = "Patients and events are counted; the sample size is not argued.", "cohort"
    if report.learning_curve:
        size, at = "Events required beside those there are; why the study has this size is for the study team.", "stability"
    predictors = f"{plural(len(cohort.columns), 'predictor')}, the features of the dictionary."
    broken = f"{plural(checks.expectations, 'expectation')} of the data dictionary checked, {len(checks.failed)} broken."
    return [
        _item("5b", "partly", "lineage", "The extract's digest and the date of the run; the dates of the data are not."),
        _item("7", "partly", "validation", broken),
        _item("8a", "partly", "cohort", outcome),
        _item("8b", "partly", "cohort", read),
        _item("9a", "partly", "cohort", predictors),
        _item("9b", "partly", "cohort", "Names, kinds, units; the definitions are not here."),
        _item("10", "partly", at, size),
        _item("11", missing[0], "cohort", missing[1]),
    ]


def _analysis_items(report: Report) -> list[Item]:
    evaluation, trained = report.evaluation, report.training is not None
    if evaluation is None:
        codes = ("12a", "12b", "12c", "12d", "12e", "12f", "12g", "13", "15")
        return [_item(code, "no", None, "Nothing was trained or evaluated.") for code in codes]
    folds = f"{evaluation.folds}-fold cross-validation, {plural(evaluation.repeats, 'repeat')}"
    measures = f"Discrimination, calibration, classification; {plural(evaluation.bootstrap, 'bootstrap resample')}."
    forms = "Encoding and scaling are learned in each training part; linear in the logistic regression."
    updated = "Recalibration: intercept and slope, from out-of-fold predictions inside each training part."
    drawn = "Predicted by models that never saw the patient; all variants from the same fits."
    clusters = "By subgroup; by site where sites are the groups."
    threshold = _covered(evaluation.thresholds, "no")
    reasons = "How thresholds were set; why they suit the clinic is for the study team."
    return [
        _item("12a", "yes", "cohort", f"Training part and hold-out; {folds} inside the training part."),
        _item("12b", "partly", "training" if trained else "evaluation", forms),
        _item("12c", "yes", "evaluation", f"{folds}; see also Recommendation."),
        _item("12d", *_partly(_measured_subgroups(report), "subgroups", clusters, "No group is large enough.")),
        _item("12e", "yes", "evaluation", measures),
        _item("12f", "yes", "evaluation", updated),
        _item("12g", "yes", "evaluation", drawn),
        _item("13", "yes", "evaluation", "All arms beside no correction, raw and recalibrated."),
        _item("15", "partly" if threshold == "yes" else "no", "evaluation", reasons),
    ]


def _partly(condition: object, section: str, there: str, missing: str) -> tuple[Answer, str | None, str]:
    return ("partly", section, there) if condition else ("no", None, missing)


def _model_items(report: Report) -> list[Item]:
    fairness = "Performance by subgroup, and how each differs from the rest; what follows from it is for the study team."
    measured = _measured_subgroups(report)
    split = (
        f"The hold-out is {report.evaluation.thresholds.get('Hold-out', 'a part of the same extract')}."
        if report.evaluation
        else ""
    )
    model = "model.json of the run folder holds all parameters; mgvae predict and mgvae.load_model compute risks from it."
    inputs = "Values outside the dictionary are refused or flagged by mgvae predict; missing ones are imputed as in training."
    return [
        _item("14", *_partly(measured, "subgroups", fairness, "Performance by subgroup is not in this report.")),
        _item("16", *_partly(split, "evaluation", split, "Nothing was evaluated.")),
        _item(
            "18f", "partly", "lineage", "Code and library versions; mgvae report --export bundle collects what a rerun needs."
        ),
        _item("22", *_partly(report.recommendation, "lineage", model, "There is no model.")),
        _item("27a", *_partly(report.recommendation, "limits", inputs, "There is no model.")),
    ]


def _measured_subgroups(report: Report) -> bool:
    """Return whether a subgroup has enough events to be measured."""
    models = report.subgroups.training.models if report.subgroups else ()
    return any(group.measures for model in models for column in model.columns for group in column.groups)


def _results(report: Report) -> list[Item]:
    cohort, evaluation, measured = report.cohort, report.evaluation, _measured_subgroups(report)
    split = None not in (cohort.n_train, cohort.n_test, cohort.events_train, cohort.events_test)
    flow = "Patients at each step, events where they are known." if cohort.flow else "Not counted."
    parts = "Training and test part." if split else "Not counted."
    performance: Answer = "partly" if evaluation else "no"
    section, overall = ("evaluation", "Overall, with 95 % intervals; not by subgroup.") if evaluation else (None, "")
    if measured:
        performance, section, overall = "yes", "subgroups", "Overall and by subgroup, with 95 % intervals."
    drift = "Each predictor beside the last accepted extract." if report.drift else "No accepted extract to compare with."
    both = "Raw, offset and recalibrated, side by side."
    return [
        _item("20a", _covered(cohort.flow), "cohort", flow),
        _item("20b", *_partly(cohort.columns, "cohort", "Predictors with their missing cells; events.", "Not counted.")),
        _item("20c", *_partly(report.drift, "drift", drift, drift)),
        _item("21", _covered(split), "cohort", parts),
        _item("23a", performance, section, overall),
        _item("23b", *_partly(measured, "subgroups", "How each subgroup or site differs from the rest.", "Not measured.")),
        _item("24", _covered(evaluation), "evaluation", both if evaluation else "Nothing was updated."),
    ]
