"""The 31 source attributes that HTI-1 asks of a predictive decision support intervention, as a table.

Source: 45 CFR 170.315(b)(11)(iv)(B), in our words.
"""

from __future__ import annotations

from mgvae.report.exports.guidelines import DISCLAIMER, flat, table
from mgvae.report.exports.sources import groups, measures, participants, risks, written
from mgvae.report.schema import Report

# attribute -> the texts of ``card`` that answer it or complete what the run says
_AUTHORS: dict[str, tuple[str, ...]] = {
    "Developer and contact": ("developer", "contact"),
    "Funding": ("funding",),
    "What comes out: value": (),
    "What comes out: prediction, classification, recommendation or other": (),
    "Intended use": ("purpose",),
    "Intended patients": ("population",),
    "Intended users": ("users",),
    "Role in the decision": ("role",),
    "Where caution is due": ("cautions",),
    "Known risks and limitations": ("limitations",),
    "Training data: inclusion and exclusion": ("eligibility",),
    "Training data: use of demographic and social variables": ("race_and_social",),
    "Training data: representativeness": ("sources",),
    "Training data: relevance to the place of use": ("setting",),
    "Fairness in development: approach": ("fairness",),
    "Fairness in development: handling of bias": ("inequalities",),
    "External validation: data and setting": ("external_evaluation",),
    "External validation: by whom": ("external_evaluation",),
    "External validation: representativeness": ("external_evaluation",),
    "External validation: process": ("external_evaluation",),
    "Validity in data of the same source": (),
    "Fairness in data of the same source": (),
    "Validity in external data": ("external_evaluation",),
    "Fairness in external data": ("external_evaluation",),
    "References on outcomes of use": ("publications",),
    "How and how often validity is watched": (),
    "Validity in local data": ("external_evaluation",),
    "How and how often fairness is watched": (),
    "Fairness in local data": ("external_evaluation",),
    "How and how often it is updated": (),
    "How often it is corrected when validity or fairness are at risk": (),
}


def hti1(report: Report) -> str:
    """Return the 31 source attributes of a run as Markdown; what no run knows is for the authors."""
    known = _from_run(report)
    rows = [
        (str(number), name, " ".join(part for part in (known.get(number, ""), written(report, *keys) if keys else "") if part))
        for number, (name, keys) in enumerate(_AUTHORS.items(), start=1)
    ]
    return "\n".join(
        [
            f"# Source attributes (45 CFR 170.315(b)(11)(iv)(B)): {flat(report.title or report.study)}",
            "",
            f"Study `{report.study}`, run `{report.run_id}`, made {report.created_at}. {DISCLAIMER}",
            "",
            *table(("No.", "Attribute", "Answer"), rows),
            "",
        ]
    )


def _from_run(report: Report) -> dict[int, str]:
    """Return what the run knows, by number of the attribute."""
    predictors = ", ".join(column.label for column in report.cohort.columns) or "not read"
    fairness = "; ".join(f"{name} {value}" for name, value in groups(report)) or "No subgroup was measured"
    plan = "The plan is written by mgvae report RUN --pccp; its rules compare a new model with the one in use."
    watched = "mgvae monitor judges kept predictions once outcomes are known; how often is for the place of use."
    return {
        3: f"The probability of: {report.cohort.outcome}.",
        4: "A prediction; an alert where the probability reaches the threshold.",
        10: risks(report),
        11: participants(report),
        12: f"Predictors: {predictors}.",
        15: "Performance and calibration by subgroup, with limits for all subgroups at once.",
        16: "Corrections for imbalance are compared with none; none corrects for bias between groups of people.",
        21: measures(report),
        22: f"AUROC by subgroup: {fairness}.",
        26: watched,
        28: "mgvae evaluate measures by subgroup; how often is for the place of use.",
        30: plan,
        31: f"{plan} The time until a correction is for the place of use.",
    }
