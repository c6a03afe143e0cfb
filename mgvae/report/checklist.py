"""Which TRIPOD+AI and PROBAST+AI items the report covers.

An item counts as covered only where its numbers are in this report; the remark says what the study team has to write itself.

Source: TRIPOD+AI, BMJ 2024;385:e078378; PROBAST+AI, BMJ 2025, doi 10.1136/bmj-2024-082505.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgvae.report.formatting import plural, share
from mgvae.report.schema import Report

Answer = Literal["yes", "partly", "no"]


@dataclass(frozen=True)
class Item:
    """An item of a guideline, and how far the page covers it.

    Attributes:
        code, asks: of the guideline.
        answer: yes, partly or no.
        section: anchor of the section; None for none.
        remark: what the section holds, or what is missing.
    """

    code: str
    asks: str
    answer: Answer
    section: str | None
    remark: str


def tripod(report: Report) -> list[Item]:
    """Return the TRIPOD+AI items that concern a report of this kind."""
    return [*_data_items(report), *_method_items(report), *_result_items(report)]


def probast(report: Report) -> list[Item]:
    """Return PROBAST+AI's questions on imbalance and leakage."""
    evaluation, cohort = report.evaluation, report.cohort
    if evaluation is None:
        return []
    variants = [set(v) for by_classifier in evaluation.arms.values() for v in by_classifier.values()]
    recalibrated = bool(variants) and all("recalibrated" in found for found in variants)
    both = "Raw and recalibrated shown; the recommendation judges the recalibrated."
    imbalance = both if recalibrated else "Not for every arm."
    kept = f"{plural(cohort.groups or 0, 'group')} of related patients stay on one side of every split. "
    groups = kept if cohort.groups else "No group was named: related rows may lie on both sides of a split. "
    leakage = f"{groups}Whether each predictor was known at the index date is for the study team to confirm."
    real = f"Real patients only, at the natural prevalence of {share(cohort.prevalence)}."
    chain = f"The whole chain is fitted anew in each of {evaluation.folds} folds, {plural(evaluation.repeats, 'time')}."
    done = _covered(recalibrated, "partly")
    return [
        Item("Imbalance", "Recalibrated after methods for imbalance?", done, "evaluation", imbalance),
        Item("Evaluation data", "Evaluated in data without correction?", "yes", "evaluation", real),
        Item("Leakage", "Leakage avoided?", "partly", "cohort", leakage),
        Item("Resampling", "Every step repeated inside resampling?", "yes", "evaluation", chain),
    ]


def _covered(condition: object, otherwise: Answer = "no") -> Answer:
    return "yes" if condition else otherwise


def _data_items(report: Report) -> list[Item]:
    cohort = report.cohort
    outcome = f"Outcome and {'no horizon' if cohort.horizon_days is None else 'horizon'} given; how it was ascertained is not."
    missing: tuple[Answer, str] = ("no", "The extract was not read that far.")
    if cohort.columns and all(column.missing is not None for column in cohort.columns):
        missing = ("partly", "Share missing of each predictor; reasons are not known here.")
    source = "The extract's digest; name source and dates in the protocol."
    size, at = "Patients and events are counted; the sample size is not argued.", "cohort"
    if report.learning_curve:
        size, at = "Events required beside those there are; why the study has this size is for the study team.", "stability"
    predictors = "Names, kinds, units; the definitions are not here."
    return [
        Item("5a, 5b", "Data sources and dates", "partly", "lineage", source),
        Item("8a", "Outcome, horizon, how assessed", "partly", "cohort", outcome),
        Item("9b", "Predictors: definition, when measured", "partly", "cohort", predictors),
        Item("10", "Sample size", "partly", at, size),
        Item("11", "Missing data", missing[0], "cohort", missing[1]),
    ]


def _method_items(report: Report) -> list[Item]:
    evaluation = report.evaluation
    remark, measures, imbalance, reasons = "Nothing was trained.", "Nothing was evaluated.", "No method was applied.", ""
    if evaluation:
        remark = f"{evaluation.folds}-fold cross-validation, {plural(evaluation.repeats, 'repeat')}; see also Recommendation."
        measures = f"Discrimination, calibration, classification; {plural(evaluation.bootstrap, 'bootstrap resample')}."
        imbalance = "All arms beside no correction, raw and recalibrated."
        reasons = "How thresholds were set; why they suit the clinic is for the study team."
    done, section = _covered(evaluation), "evaluation" if evaluation else None
    threshold: Answer = "partly" if evaluation and evaluation.thresholds else "no"
    code = "Code and library versions; the rest is outside."
    return [
        Item("12c", "Building steps, tuning, internal validation", done, section, remark),
        Item("12e", "Measures of performance", done, section, measures),
        Item("13", "Class imbalance: why, how, recalibrated how", done, section, imbalance),
        _fairness(report),
        Item("15", "Output and thresholds, with reasons", threshold, section, reasons),
        Item("18c to 18f", "Protocol, registration, data, code", "partly", "lineage", code),
    ]


def _fairness(report: Report) -> Item:
    if not _measured_subgroups(report):
        return Item("14", "Fairness", "no", None, "Performance by subgroup is not in this report.")
    remark = "Performance by subgroup, and how each differs from the rest; what follows from it is for the study team."
    return Item("14", "Fairness", "partly", "subgroups", remark)


def _measured_subgroups(report: Report) -> bool:
    """Return whether a subgroup has enough events to be measured."""
    models = report.subgroups.training.models if report.subgroups else ()
    return any(group.measures for model in models for column in model.columns for group in column.groups)


def _result_items(report: Report) -> list[Item]:
    cohort, evaluation = report.cohort, report.evaluation
    split = None not in (cohort.n_train, cohort.n_test, cohort.events_train, cohort.events_test)
    flow = "Patients at each step, events where they are known." if cohort.flow else "Not counted."
    parts = "Training and test part." if split else "Not counted."
    performance: Answer = "partly" if evaluation else "no"
    section, overall = ("evaluation", "Overall, with 95 % intervals; not by subgroup.") if evaluation else (None, "")
    if _measured_subgroups(report):
        performance, section, overall = "yes", "subgroups", "Overall and by subgroup, with 95 % intervals."
    return [
        Item("20a", "Flow of participants", _covered(cohort.flow), "cohort" if cohort.flow else None, flow),
        Item("21", "Patients and events in each analysis", _covered(split), "cohort" if split else None, parts),
        Item("22", "The full model", "no", None, "Its files are in the artifact store, by digest."),
        Item("23a", "Performance with intervals, by subgroup", performance, section, overall),
    ]
