"""A methods paragraph ready to paste, with its references as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass

from mgvae.config.study import CohortConfig
from mgvae.report.checklist import groups_kept
from mgvae.report.formatting import arm_names, count, event_share, listing, measured, on_censoring, plural, share
from mgvae.report.overview import performance
from mgvae.report.schema import Report
from mgvae.results.labels import CLASSIFIERS, model_name

REFERENCES: dict[str, dict[str, str]] = {
    "ai2023mgvae": {
        "author": "Ai, Qingzhong and Wang, Pengyun and He, Lirong and Wen, Liangjian and Pan, Lujia and Xu, Zenglin",
        "title": "Generative Oversampling for Imbalanced Data via Majority-Guided {VAE}",
        "booktitle": "Proceedings of The 26th International Conference on Artificial Intelligence and Statistics",
        "year": "2023",
        "eprint": "2302.10910",
        "archiveprefix": "arXiv",
    },
    "collins2024tripodai": {
        "author": "Collins, Gary S. and others",
        "title": "{TRIPOD+AI} statement: updated guidance for reporting clinical prediction models",
        "journal": "BMJ",
        "year": "2024",
        "volume": "385",
        "pages": "e078378",
        "doi": "10.1136/bmj-2023-078378",
    },
    "vickers2006decision": {
        "author": "Vickers, Andrew J. and Elkin, Elena B.",
        "title": "Decision curve analysis: a novel method for evaluating prediction models",
        "journal": "Medical Decision Making",
        "year": "2006",
        "volume": "26",
        "pages": "565--574",
        "doi": "10.1177/0272989X06295361",
    },
    "vandengoorbergh2022harm": {
        "author": "van den Goorbergh, Ruben and van Smeden, Maarten and Timmerman, Dirk and Van Calster, Ben",
        "title": "The harm of class imbalance corrections for risk prediction models",
        "journal": "Journal of the American Medical Informatics Association",
        "year": "2022",
        "volume": "29",
        "pages": "1525--1534",
        "doi": "10.1093/jamia/ocac093",
    },
    "riley2020size": {
        "author": "Riley, Richard D. and others",
        "title": "Calculating the sample size required for developing a clinical prediction model",
        "journal": "BMJ",
        "year": "2020",
        "volume": "368",
        "pages": "m441",
        "doi": "10.1136/bmj.m441",
    },
    "gerds2006": {
        "author": "Gerds, Thomas A. and Schumacher, Martin",
        "title": "Consistent estimation of the expected Brier score in general survival models with right-censored event times",
        "journal": "Biometrical Journal",
        "year": "2006",
        "volume": "48",
        "pages": "1029--1040",
        "doi": "10.1002/bimj.200610301",
    },
}


@dataclass(frozen=True)
class Methods:
    """A methods section.

    Attributes:
        text: Markdown; citations as ``[@key]``, which pandoc reads.
        bibliography: BibTeX with exactly the references that the text cites.
    """

    text: str
    bibliography: str


def methods(report: Report, config: CohortConfig) -> Methods:
    """Return the methods and main results of a run; every number is a setting's or the report's."""
    paragraphs = [_participants(report, config), _predictors(report, config)]
    if report.evaluation is not None:
        paragraphs += [_training(config), _evaluation(report, config), _result(report)]
    else:
        paragraphs.append("The extract failed validation; no model was trained.")
    paragraphs.append(_software(report))
    text = "\n\n".join(["# Methods", *paragraphs]) + "\n"
    cited = [key for key in REFERENCES if f"@{key}" in text]
    return Methods(text, "\n".join(_entry(key) for key in cited))


def _entry(key: str) -> str:
    kind = "inproceedings" if "booktitle" in REFERENCES[key] else "article"
    fields = "".join(f"  {name} = {{{value}}},\n" for name, value in REFERENCES[key].items())
    return f"@{kind}{{{key},\n{fields}}}\n"


def _participants(report: Report, config: CohortConfig) -> str:
    cohort = report.cohort
    horizon = f" ({plural(cohort.horizon_days, 'day')} from the index date)" if cohort.horizon_days else ""
    lookback = f" Predictors come from the {plural(cohort.lookback_days, 'day')} before it." if cohort.lookback_days else ""
    if cohort.n is None or cohort.events is None:
        return f"The outcome was {cohort.outcome}{horizon}.{lookback} The patients were not counted."
    flow = " ".join(f"{step.label}: {count(step.n)}." for step in cohort.flow)
    split = ""
    if cohort.n_test is not None and cohort.events_test is not None:
        split = (
            f" A hold-out of {plural(cohort.n_test, 'patient')} with {plural(cohort.events_test, 'event')} "
            f"({config.split.method} split) took no part in training or in the choice of the model."
        )
    groups = f" {groups_kept(cohort)}"
    if cohort.censoring is not None:
        groups += f" {on_censoring(cohort.censoring)} The weights are inverse Kaplan-Meier probabilities of being followed "
        groups += "[@gerds2006]."
    return (
        f"The outcome was {cohort.outcome}{horizon}.{lookback} We analysed {plural(cohort.n, 'patient')} with "
        f"{plural(cohort.events, 'event')} ({event_share(cohort, 1)}). {flow}{split}{groups}"
    )


def _predictors(report: Report, config: CohortConfig) -> str:
    text = f"The model had {plural(len(config.columns.features), 'candidate predictor')}."
    text += f" The extract was checked against a data dictionary by {plural(report.validation.expectations, 'expectation')}."
    shares = [column.missing for column in report.cohort.columns if column.missing]
    if shares:
        text += f" {plural(len(shares), 'predictor')} had missing values, at most {share(max(shares))}."
    if report.learning_curve is not None:
        needed = report.learning_curve.sample_size.required_events
        if needed is not None and needed.value is not None:
            text += f" By the criteria of Riley et al. {plural(round(needed.value), 'event')} are required [@riley2020size]."
    return text


def _training(config: CohortConfig) -> str:
    arms, names = config.evaluation.arms, [CLASSIFIERS[name].lower() for name in config.evaluation.classifiers]
    own = " and classifiers of our own" if config.evaluation.own_classifiers else ""
    text = f"We compared {arm_names(arms)} with {listing(names)}{own}."
    if any(arm.startswith("mgvae") for arm in arms):
        text += (
            " Majority-guided synthetic cases come from a variational autoencoder that learns the patients without the event "
            "first and is then adapted to the cases, its weights held by elastic weight consolidation [@ai2023mgvae]."
        )
    most = config.evaluation.majority_rows
    if most is not None:
        text += (
            f" Fits with more than {most:,} patients without the event learned from {most:,} of them, drawn at random by whole "
            "groups, and all patients with the event; risks were moved back to the prevalence of all (King and Zeng 2001)."
        )
    private = config.training.privacy
    if private is not None:
        text += (
            f" The generator was differentially private for the cases (epsilon {private.epsilon:g}, delta {private.delta:g})."
        )
    return text + (
        " Every step that learns, with imputation, encoding, synthesis and recalibration, was fitted inside the training part "
        "of each fold; measures are of real patients at natural prevalence, because corrections for imbalance distort risks "
        "[@vandengoorbergh2022harm]. Risks were recalibrated (intercept and slope)."
    )


def _evaluation(report: Report, config: CohortConfig) -> str:
    settings = config.evaluation
    return (
        f"Internal validation was {plural(settings.folds, 'fold')} of cross-validation, {plural(settings.repeats, 'repeat')}; "
        f"95 % intervals come from {plural(settings.bootstrap, 'bootstrap resample')} of whole groups. "
        "We report discrimination, calibration and net benefit [@vickers2006decision]; "
        f"a gain of {settings.relevant_gain:g} in AUROC was held to matter. Reporting follows the items of TRIPOD+AI "
        "[@collins2024tripodai] where the checklist of the report says so."
    )


def _result(report: Report) -> str:
    chosen = report.recommendation
    if chosen is None:
        return "No model is recommended."
    measures = " ".join(
        f"{part.source}: AUROC {measured('auroc', part.scores.get('auroc'))}, calibration slope "
        f"{measured('calibration_slope', part.scores.get('calibration_slope'))}, observed / expected events "
        f"{measured('observed_expected', part.scores.get('observed_expected'))}."
        for part in performance(report)
    )
    return (
        f"Verdict of the run: {report.verdict.sentence} {chosen.reason} {model_name(chosen.arm, chosen.classifier)}. {measures}"
    )


def _software(report: Report) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(report.lineage.versions.items()))
    return (
        f"Analyses were made with mgvae-cohort {report.lineage.code_version} ({versions}), seed {report.lineage.seed}, run "
        f"`{report.run_id}`, extract sha256 `{report.lineage.extract_sha256 or 'unknown'}`."
    )
