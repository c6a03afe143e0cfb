"""A model on other patients with known outcomes: measures, case mix, recalibration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mgvae.config.sections import Arm, Classifier
from mgvae.config.strict import Strict
from mgvae.results.evaluation import Curve, DecisionCurves, Line, Scores
from mgvae.results.numbers import Count, Estimate, Number, Share
from mgvae.results.scoring import ScoringCounts
from mgvae.results.subgroups import SubgroupPart

Recalibrated = Literal["as it is", "in the large", "weak"]


class Spread(Strict):
    """Mean and standard deviation of the predicted log odds: the level and the width of the case mix."""

    mean: Number
    sd: Number


class ColumnDifference(Strict):
    """A predictor in the study's patients and in these.

    Attributes:
        column, label: of the predictor.
        level: of a column of levels, the one that differs most; None for numbers.
        study, here: mean, or share of the level among those whose value is known; None where none is.
        difference: standardised, these less the study's, in pooled standard deviations.
        missing_study, missing_here: share without a value.
    """

    column: str
    label: str
    level: str | None
    study: Number | None
    here: Number | None
    difference: Number | None
    missing_study: Share
    missing_here: Share


class CaseMix(Strict):
    """How these patients differ from the study's.

    Attributes:
        membership: AUROC of a model that tells the two apart; 0.5 where they are alike.
        spread_study, spread_here: of the predicted log odds.
        columns: the largest differences first.
    """

    membership: Estimate | None
    spread_study: Spread
    spread_here: Spread
    columns: tuple[ColumnDifference, ...]


class ExternalValidation(Strict):
    """The content of an external validation's evaluation.json.

    Attributes:
        study, title, run_id, model_version: whose model it is.
        arm, classifier: how it was fitted.
        outcome: its label.
        created_at: ISO text in UTC.
        extract_sha256: digest of the patients' extract.
        n, events, prevalence: of these patients; those without a known outcome are left out.
        study_n, study_events: whom the model was fitted on.
        known: patients with the name of one of the study's; None where nobody can tell.
        threshold: risk from which a patient is an alert.
        scores: every measure of the model as it is, and once recalibrated on these very patients, where it flatters itself.
        development: of the run's cross-validation, for comparison; empty where it is not at hand.
        recalibration: the lines: in the large moves the level alone, weak level and slope.
        curve, decisions: calibration and decision curves of the model as it is.
        case_mix: None where the study's patients are not at hand.
        subgroups: by subgroup and site; None where no column is one.
        fewest_events: below which a subgroup is counted alone.
        counts: alerts and flags.
        bootstrap: resamples of whole groups behind the intervals.
        remarks: what a reader must know.
    """

    study: str
    title: str | None
    run_id: str
    model_version: str
    arm: Arm
    classifier: Classifier
    outcome: str
    created_at: str
    extract_sha256: str
    n: Count
    events: Count
    prevalence: Share
    study_n: Count
    study_events: Count
    known: Count | None
    threshold: Number
    scores: dict[Recalibrated, Scores]
    development: Scores = Field(default_factory=dict)
    recalibration: dict[Recalibrated, Line]
    curve: Curve
    decisions: DecisionCurves
    case_mix: CaseMix | None
    subgroups: SubgroupPart
    fewest_events: Count
    counts: ScoringCounts
    bootstrap: Count
    remarks: tuple[str, ...] = ()
