"""The applied model card of the Coalition for Health AI, v0.2, as XML.

Source: github.com/coalition-for-health-ai/mc-schema, v0.2/schema.xsd.
"""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree  # written, never parsed

from mgvae.report.exports.guidelines import DISCLAIMER
from mgvae.report.exports.sources import groups, participants, risks, written
from mgvae.report.formatting import METRICS, measured, plural
from mgvae.report.overview import performance
from mgvae.report.schema import Report
from mgvae.results.labels import model_name

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Part = dict[str, "str | Part | list[tuple[str, Part]]"]


def chai_card(report: Report, bibliography: str) -> str:
    """Return the model card of a run as XML that is valid against the schema.

    Args:
        report: of the run.
        bibliography: BibTeX.
    """
    root = ElementTree.Element("AppliedModelCard", xmlns=NAMESPACE)
    parts: Part = {
        "BasicInfo": {
            "ModelName": report.title or report.study,
            "ModelDeveloper": written(report, "developer"),
            "DeveloperContact": written(report, "contact"),
        },
        "ReleaseInfo": {
            "ReleaseStage": written(report, "release_stage"),
            "ReleaseDate": report.created_at,
            "ReleaseVersion": f"{report.run_id} ({report.lineage.code_version})",
            "GlobalAvailability": written(report, "availability"),
        },
        "ModelSummary": {
            "Summary": f"Risk of: {report.cohort.outcome}. {risks(report)} {DISCLAIMER}",
            "Keywords": [("Keyword", {"": word}) for word in ("rare outcome", "clinical prediction model")],
        },
        "UsesAndDirections": {
            "IntendedUseAndWorkflow": written(report, "purpose", "role"),
            "PrimaryIntendedUsers": written(report, "users"),
            "HowToUse": written(report, "user_input"),
            "TargetedPatientPopulation": written(report, "population", "eligibility"),
            "CautionedOutOfScopeSettings": written(report, "cautions"),
        },
        "Warnings": {
            "KnownRisksAndLimitations": f"{risks(report)} {written(report, 'limitations')}",
            "KnownBiasesOrEthicalConsiderations": written(report, "inequalities", "fairness", "ethics"),
            "ClinicalRiskLevel": written(report, "risk_level"),
        },
        "TrustIngredients": _trust(report),
        "KeyMetrics": _metrics(report),
        "Resources": {
            "EvaluationReferences": written(report, "external_evaluation"),
            "PeerReviewedPublications": written(report, "publications"),
            "PatientConsentOrDisclosure": written(report, "consent"),
        },
        "Bibliography": bibliography,
    }
    _append(root, parts)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _append(parent: ElementTree.Element, parts: Part) -> None:
    for name, content in parts.items():
        child = ElementTree.SubElement(parent, name) if name else parent
        if isinstance(content, str):
            child.text = _NOT_XML.sub("\ufffd", content)
        elif isinstance(content, dict):
            _append(child, content)
        else:
            for inner, part in content:
                _append(ElementTree.SubElement(child, inner), part)


def _trust(report: Report) -> Part:
    chosen = report.recommendation
    model = f"{model_name(chosen.arm, chosen.classifier)}, recalibrated." if chosen else "No model."
    horizon = f" (horizon {plural(report.cohort.horizon_days, 'day')})" if report.cohort.horizon_days else ""
    kinds = ", ".join(sorted({column.kind for column in report.cohort.columns}))
    gates = "Corrections for imbalance are compared with none; performance and calibration are measured by subgroup."
    return {
        "AISystemFacts": {
            "OutcomesAndOutputs": f"The probability of: {report.cohort.outcome}{horizon}.",
            "ModelType": model,
            "InputDataSource": written(report, "sources", "setting"),
            "OutputAndInputDataTypes": f"In: {plural(len(report.cohort.columns), 'predictor')} ({kinds}). Out: a probability.",
            "DevelopmentDataCharacterization": participants(report),
            "BiasMitigationApproaches": f"{gates} {written(report, 'fairness')}",
            "OngoingMaintenance": "The update plan: mgvae report RUN --pccp. Performance in use: mgvae monitor.",
        },
        "TransparencyInformation": {
            "FundingSource": written(report, "funding"),
            "StakeholdersConsulted": written(report, "involvement"),
        },
    }


def _metrics(report: Report) -> Part:
    scores = [
        (f"{METRICS[metric].label}, {part.source}", measured(metric, estimate))
        for part in performance(report)
        for metric, estimate in part.scores.items()
    ]
    ranks = [one for one in scores if one[0].startswith((METRICS["auroc"].label, METRICS["scaled_brier"].label))]
    tested = {
        "TestType": "Internal validation: cross-validation, then one hold-out of the same extract",
        "TestingDataDescription": participants(report),
        "ValidationProcessAndJustification": "All that learns is fitted inside the training part; 95 % intervals by bootstrap.",
    }
    return {
        "UsefulnessUsabilityEfficacy": {
            "MetricGoal": "Risks that rank patients and say more than the prevalence",
            "Results": _listed(ranks),
            "Interpretation": risks(report),
            **tested,
        },
        "FairnessEquity": {
            "MetricGoal": "Performance alike in all subgroups",
            "Results": _listed([(f"AUROC, {name}", value) for name, value in groups(report)]),
            "Interpretation": written(report, "fairness"),
            **tested,
        },
        "SafetyReliability": {
            "MetricGoal": "Risks that agree with what happens",
            "Results": _listed([one for one in scores if one not in ranks]),
            "Interpretation": written(report, "interpretation"),
            **tested,
        },
    }


def _listed(results: list[tuple[str, str]]) -> list[tuple[str, Part]]:
    """Return results as elements; the schema asks for at least one."""
    shown = results or [("Not measured", "unknown")]
    return [("MetricResult", {"Label": name, "ValueJson": json.dumps(value, ensure_ascii=False)}) for name, value in shown]
