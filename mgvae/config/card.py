"""The section of cohort.yaml that holds what only people know of a study: purpose, people, ethics, access."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from mgvae.config.strict import Strict

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]


class Card(Strict):
    """What the authors say of the study, in their words; it goes into documents only and changes no number.

    Each text is optional; where one is missing, the checklist of the report asks for it. Name no patient here.

    Attributes:
        abstract: where the abstract stands, or the abstract.
        context: the clinical problem, why a model is wanted, and which models there are.
        purpose: intended use: at which point of care, for which decision.
        users: who is meant to use it, and what they must know.
        population: for which patients it is meant.
        role: its role in the decision: informs, supports or replaces it.
        cautions: where and when it must not be used, or with care.
        inequalities: known differences in health or care between groups of people.
        objectives: development, evaluation or both; what was asked.
        sources: which records the data come from, why these, and how representative they are.
        dates: when patients entered, and when follow-up ended.
        setting: number, kind and place of the centres.
        eligibility: who could take part.
        treatments: what treatments patients had, and how that was handled.
        outcome_assessment: how the outcome was found, why this one, and whether alike for all groups of people.
        outcome_assessors: who assessed the outcome where it needs judgement, and how they were trained for it.
        outcome_blinding: whether those who assessed the outcome knew the predictors.
        predictor_assessment: who assessed predictors that need judgement.
        predictor_choice: why these predictors.
        fairness: what was done for fairness beyond the report's tables, and why.
        race_and_social: how race, ethnicity, language, sex, gender identity and social determinants are used.
        ethics: approval and consent, with numbers.
        funding: who paid, and what they had to say.
        interests: competing interests of the authors.
        protocol: where the protocol can be read, or that there is none.
        registration: register and number, or that there is none.
        data_access: who can get the data, and how.
        code_access: where the code of the analysis can be had.
        involvement: how patients and the public took part, or that they did not.
        interpretation: what the results mean, beside earlier work.
        limitations: what may be wrong with the study.
        input_handling: how poor or missing inputs are handled in use.
        user_input: what users have to do with inputs, and what they must be able to do.
        next_steps: what follows: further evaluation, use, research.
        developer: who developed the model.
        contact: how to reach the developer.
        release_stage: such as research only, or in use.
        availability: in which places it may be used, and under which approval.
        risk_level: the clinical risk of a wrong answer.
        external_evaluation: evaluation on other patients: data, by whom, results.
        publications: references of the model and of its effect on outcomes.
        consent: what patients are informed of.
    """

    abstract: Text | None = None
    context: Text | None = None
    purpose: Text | None = None
    users: Text | None = None
    population: Text | None = None
    role: Text | None = None
    cautions: Text | None = None
    inequalities: Text | None = None
    objectives: Text | None = None
    sources: Text | None = None
    dates: Text | None = None
    setting: Text | None = None
    eligibility: Text | None = None
    treatments: Text | None = None
    outcome_assessment: Text | None = None
    outcome_assessors: Text | None = None
    outcome_blinding: Text | None = None
    predictor_assessment: Text | None = None
    predictor_choice: Text | None = None
    fairness: Text | None = None
    race_and_social: Text | None = None
    ethics: Text | None = None
    funding: Text | None = None
    interests: Text | None = None
    protocol: Text | None = None
    registration: Text | None = None
    data_access: Text | None = None
    code_access: Text | None = None
    involvement: Text | None = None
    interpretation: Text | None = None
    limitations: Text | None = None
    input_handling: Text | None = None
    user_input: Text | None = None
    next_steps: Text | None = None
    developer: Text | None = None
    contact: Text | None = None
    release_stage: Text | None = None
    availability: Text | None = None
    risk_level: Text | None = None
    external_evaluation: Text | None = None
    publications: Text | None = None
    consent: Text | None = None
