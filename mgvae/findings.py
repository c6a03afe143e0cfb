"""The registry of findings: stable codes, what they mean, how to act on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mgvae.errors import nearest

Severity = Literal["info", "warning", "severe"]
Domain = Literal["participants", "predictors", "outcome", "analysis"]  # of PROBAST
RANK: dict[Severity, int] = {"info": 0, "warning": 1, "severe": 2}


@dataclass(frozen=True)
class FindingKind:
    """A kind of finding.

    Attributes:
        code: MGV and three digits: 1xx inputs, 2xx evaluation and verdict, 3xx explanations. A code keeps its meaning for ever.
        severity: a severe one that is not muted makes the run unreliable.
        domain: of PROBAST (Wolff et al. 2019, doi 10.7326/M18-1376).
        why: why it matters.
        remedy: what to do.
    """

    code: str
    severity: Severity
    domain: Domain
    title: str
    why: str
    remedy: str


REGISTRY: dict[str, FindingKind] = {
    kind.code: kind
    for kind in (
        FindingKind(
            "MGV101",
            "severe",
            "predictors",
            "A predictor alone separates the outcome",
            "A single column hardly ever predicts a rare outcome this well. Most often it was recorded later, or defines it.",
            "Give it the role excluded, unless it is known at the index date; then mute this finding and say so.",
        ),
        FindingKind(
            "MGV102",
            "severe",
            "analysis",
            "Rows of one patient may lie on both sides of a split",
            "A model then recognises patients instead of their risk, and every measure is too good.",
            "Name the column as group in cohort.yaml (and subject_id: null), or keep one row per patient.",
        ),
        FindingKind(
            "MGV103",
            "warning",
            "participants",
            "Rows are neither named as subjects nor grouped",
            "Several rows of one patient cannot be recognised then, and may lie on both sides of a split.",
            "Name subject_id if there is one row per patient, or the patient's column as group.",
        ),
        FindingKind(
            "MGV104",
            "severe",
            "predictors",
            "Nobody has confirmed that the predictors are known at the index date",
            "What is recorded after the outcome predicts it well, and is not there when the model is used.",
            "Go through the predictors that cohort.yaml lists for review, exclude later ones, then delete that line.",
        ),
        FindingKind(
            "MGV105",
            "warning",
            "predictors",
            "Lines of the draft are open for review",
            "A draft is a guess from names and values; what it asks decides who and what is in the study.",
            "Settle what each line '# review: ...' asks and delete its comment. --strict refuses open lines.",
        ),
        FindingKind(
            "MGV106",
            "warning",
            "predictors",
            "Values that look like codes for missing are read as values",
            "A code such as -9 or 999 taken for a measurement distorts ranges, models and synthetic cases.",
            "List it under missing_codes of the column, in every column that uses it; mute the finding if it is a value.",
        ),
        FindingKind(
            "MGV107",
            "warning",
            "participants",
            "Rows that are copies of others",
            "Copies count twice, and one of each pair may be in the training part, the other in the test part.",
            "Drop the copies from the extract, or find out which column tells them apart and include it.",
        ),
        FindingKind(
            "MGV108",
            "info",
            "predictors",
            "A range that checks nothing",
            "A range that is absent or very wide lets a change of unit or a code such as 9999 pass.",
            "Give range: [lowest, highest] from what you know of the quantity.",
        ),
        FindingKind(
            "MGV109",
            "warning",
            "outcome",
            "Outcomes that are not known count as no event",
            "Who is lost or withdrawn may have had the event; to count them as without it lowers the risk, unevenly.",
            "List these levels under missing_codes of the outcome's column: those rows are then not eligible.",
        ),
        FindingKind(
            "MGV110",
            "warning",
            "predictors",
            "A predictor's name says that it is later than the index date",
            "What is recorded after the prediction is made cannot be used to make it.",
            "Give it the role excluded; or, if it is known at the index date, mute this finding and say so.",
        ),
        FindingKind(
            "MGV111",
            "info",
            "participants",
            "No group is named",
            "Relatives, matched sets and patients of one site resemble each other; without a group they lie on both sides.",
            "Name the column that ties rows together as group, if there is one.",
        ),
        FindingKind(
            "MGV201",
            "warning",
            "analysis",
            "No model predicts better than the prevalence",
            "Either the predictors carry nothing, or the events are too few to show it. Oversampling adds nothing to either.",
            "Use no model. Collect more events, or predictors that precede the outcome and bear on it.",
        ),
        FindingKind(
            "MGV202",
            "severe",
            "predictors",
            "Discrimination near perfect: a leak is suspected",
            "Rare outcomes are hardly ever predicted this well. Most often a predictor was recorded after the outcome.",
            "Look at the predictors that carry most; set the role of those known only after the index date to excluded.",
        ),
        FindingKind(
            "MGV203",
            "warning",
            "participants",
            "Few events to train or to test on",
            "With a handful of events models are unstable, intervals are wide, and a hold-out confirms nothing.",
            "Add events: more sites, more years, a longer horizon. With few events in the hold-out read the cross-validation.",
        ),
        FindingKind(
            "MGV204",
            "warning",
            "analysis",
            "The recommended model is not calibrated",
            "Its risks are systematically too extreme, too mild, too high or too low, so that a threshold on them misleads.",
            "Do not act on its risks as they are: recalibrate on new patients, or take more events and fewer predictors.",
        ),
        FindingKind(
            "MGV205",
            "warning",
            "analysis",
            "An arm could not be run",
            "The comparison is without it, and nothing can be said of it.",
            "See the reason given; drop the arm from evaluation.arms, or supply what it needs.",
        ),
        FindingKind(
            "MGV206",
            "warning",
            "analysis",
            "The hold-out contradicts the cross-validation",
            "The patients held out differ, most often by time or site, or the cross-validation was optimistic.",
            "Compare both parts; look for a change over time or between sites, and for subjects that are in both parts.",
        ),
        FindingKind(
            "MGV207",
            "warning",
            "analysis",
            "A gate on the synthetic cases failed",
            "The cases break the dictionary, copy patients, or do not resemble the rare ones.",
            "Do not train on them. The gate says what was measured; more cases or longer training may help.",
        ),
        FindingKind(
            "MGV208",
            "warning",
            "participants",
            "The extract has drifted from the last accepted one",
            "Patients, coding or units have changed, and a model of the past may not hold.",
            "Find the cause. If the change is real and wanted: mgvae champion accept RUN.",
        ),
        FindingKind(
            "MGV209",
            "warning",
            "analysis",
            "The recommended classifier cannot be saved",
            "It is the user's own, without a form as plain numbers, and no pickle is written: the run keeps only its recipe.",
            "To use it, fit it again by its recipe in model.json; or leave it out of evaluation.classifiers.",
        ),
        FindingKind(
            "MGV210",
            "warning",
            "analysis",
            "Fewer events than a regression on these predictors needs",
            "With too few events for so many parameters, effects are overestimated, and a penalty does not make up for it.",
            "Take fewer predictors, chosen by knowledge and not by these data, or collect more events; see Sample size.",
        ),
        FindingKind(
            "MGV301",
            "warning",
            "predictors",
            "One predictor carries more than half of the model",
            "It may be a trace of the outcome, or a proxy for who was measured; without it little of the model is left.",
            "Check when and for whom it is recorded. If it is known only after the index date, give it the role excluded.",
        ),
        FindingKind(
            "MGV401",
            "severe",
            "outcome",
            "The champion predicts these patients clearly worse than when it was promoted",
            "The outcome may be joined to the wrong patients or not yet known, or the patients changed; nobody can judge.",
            "Check outcome and join of the extract. If the change is real, decide by hand: mgvae champion promote.",
        ),
        FindingKind(
            "MGV402",
            "warning",
            "analysis",
            "A new model is not clearly better than chance",
            "A model as good as a useless champion would take its place; with few events chance alone may look like a model.",
            "Check outcome and join of the extract; if they are right, collect more events.",
        ),
    )
}


def kind_of(code: str) -> FindingKind:
    """Return the kind with this code.

    Raises:
        ValueError: there is none; the nearest is named.
    """
    if code not in REGISTRY:
        raise ValueError(f"'{code}' must be the code of a finding, such as {min(REGISTRY)}.{nearest(code, REGISTRY)}")
    return REGISTRY[code]
