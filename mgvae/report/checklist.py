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
    groups = f"{plural(cohort.groups, 'group')} of related patients stay on one side of every split. " if cohort.groups else ""
    return [
        Item(
            "Imbalance",
            "Recalibrated after methods for imbalance?",
            "yes" if recalibrated else "partly",
            "evaluation",
            "Raw and recalibrated shown; the recommendation judges the recalibrated." if recalibrated else "Not for every arm.",
        ),
        Item(
            "Evaluation data",
            "Evaluated in data without correction?",
            "yes",
            "evaluation",
            f"Real patients only, at the natural prevalence of {share(cohort.prevalence)}.",
        ),
        Item(
            "Leakage",
            "Leakage avoided?",
            "partly",
            "cohort",
            groups + "Whether each predictor was known at the index date is for the study team to confirm.",
        ),
        Item(
            "Resampling",
            "Every step repeated inside resampling?",
            "yes",
            "evaluation",
            f"The whole chain is fitted anew in each of {evaluation.folds} folds, {plural(evaluation.repeats, 'time')}.",
        ),
    ]


def _data_items(report: Report) -> list[Item]:
    cohort = report.cohort
    horizon = cohort.horizon_days is not None
    missing = bool(cohort.columns) and all(column.missing is not None for column in cohort.columns)
    return [
        Item(
            "5a, 5b",
            "Data sources and dates",
            "partly",
            "lineage",
            "The extract's digest; name source and dates in the protocol.",
        ),
        Item(
            "8a",
            "Outcome, horizon, how assessed",
            "partly",
            "cohort",
            f"Outcome and {'horizon' if horizon else 'no horizon'} given; how it was ascertained is not.",
        ),
        Item(
            "9b",
            "Predictors: definition, when measured",
            "partly",
            "cohort",
            "Names, kinds, units; the definitions are not here.",
        ),
        Item("10", "Sample size", "partly", "cohort", "Patients and events are counted; the sample size is not argued."),
        Item(
            "11",
            "Missing data",
            "partly" if missing else "no",
            "cohort",
            "Share missing of each predictor; reasons are not known here." if missing else "The extract was not read that far.",
        ),
    ]


def _method_items(report: Report) -> list[Item]:
    evaluation = report.evaluation
    done: Answer = "yes" if evaluation else "no"
    if evaluation is None:
        remark, measures = "Nothing was trained.", "Nothing was evaluated."
    else:
        remark = f"{evaluation.folds}-fold cross-validation, {plural(evaluation.repeats, 'repeat')}; see also Recommendation."
        measures = f"Discrimination, calibration, classification; {plural(evaluation.bootstrap, 'bootstrap resample')}."
    threshold: Answer = "partly" if evaluation and evaluation.thresholds else "no"
    return [
        Item("12c", "Building steps, tuning, internal validation", done, "evaluation" if evaluation else None, remark),
        Item("12e", "Measures of performance", done, "evaluation" if evaluation else None, measures),
        Item(
            "13",
            "Class imbalance: why, how, recalibrated how",
            done,
            "evaluation" if evaluation else None,
            "All arms beside no correction, raw and recalibrated." if evaluation else "No method was applied.",
        ),
        Item("14", "Fairness", "no", None, "Performance by subgroup is not in this report."),
        Item(
            "15",
            "Output and thresholds, with reasons",
            threshold,
            "evaluation" if evaluation else None,
            "How thresholds were set; why they suit the clinic is for the study team." if evaluation else "",
        ),
        Item(
            "18c to 18f",
            "Protocol, registration, data, code",
            "partly",
            "lineage",
            "Code and library versions; the rest is outside.",
        ),
    ]


def _result_items(report: Report) -> list[Item]:
    cohort, evaluation = report.cohort, report.evaluation
    split = None not in (cohort.n_train, cohort.n_test, cohort.events_train, cohort.events_test)
    return [
        Item(
            "20a",
            "Flow of participants",
            "yes" if cohort.flow else "no",
            "cohort" if cohort.flow else None,
            "Patients at each step, events where they are known." if cohort.flow else "Not counted.",
        ),
        Item(
            "21",
            "Patients and events in each analysis",
            "yes" if split else "no",
            "cohort" if split else None,
            "Training and test part." if split else "Not counted.",
        ),
        Item("22", "The full model", "no", None, "Its files are in the artifact store, by digest."),
        Item(
            "23a",
            "Performance with intervals, by subgroup",
            "partly" if evaluation else "no",
            "evaluation" if evaluation else None,
            "Overall, with 95 % intervals; not by subgroup." if evaluation else "",
        ),
    ]
