"""The registry of findings: stable codes, what they mean, how to mend them."""

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
        mend: what to do.
    """

    code: str
    severity: Severity
    domain: Domain
    title: str
    why: str
    mend: str


REGISTRY: dict[str, FindingKind] = {
    kind.code: kind
    for kind in (
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
            "See the reason given; drop the arm from evaluation.arms, or mend what it needs.",
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
            "Find the cause. If the change is real and wanted, accept it: run again with --set drift.against=nothing.",
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
