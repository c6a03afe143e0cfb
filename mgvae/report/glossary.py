"""Abbreviations and terms of the page, each in one plain sentence."""

from __future__ import annotations

GLOSSARY: dict[str, str] = {
    "AI": "Artificial intelligence; here, models whose parameters are learned from data.",
    "AUC": "Area under the ROC curve; of an attack or a classifier, 0.5 is guessing and 1 tells all apart.",
    "AUPRC": "Area under the precision-recall curve: mean precision over all recalls; by chance it is the prevalence.",
    "AUROC": "Area under the ROC curve: how often a patient with the event is ranked above one without; 0.5 is chance.",
    "Bal. accuracy": "Balanced accuracy: the mean of sensitivity and specificity at the decision threshold.",
    "Brier": "Brier score: mean squared distance between predicted risk and outcome; lower is better.",
    "Cal. intercept": "Calibration intercept: 0 where risks are right on average, negative where they are too high.",
    "Cal. slope": "Calibration slope: 1 where risks are spread rightly, below 1 where they are too extreme.",
    "E90": "The calibration error that nine of ten patients do not exceed.",
    "ELBO": "Evidence lower bound: what training of a VAE raises; how well the generator explains patients.",
    "Emax": "The largest calibration error.",
    "EWC": "Elastic weight consolidation: a penalty that keeps the generator near what it learned from the majority.",
    "F1": "Harmonic mean of precision and recall at the decision threshold.",
    "G-mean": "Root of sensitivity times specificity at the decision threshold.",
    "ICI": "Integrated calibration index: mean distance between predicted risk and the smooth calibration curve.",
    "Log loss": "Mean of minus the logarithm of the probability given to what happened; lower is better.",
    "MCC": "Matthews correlation coefficient between decision and outcome: 1 is perfect, 0 is chance.",
    "MGVAE": "Majority-Guided VAE: makes synthetic cases by translating patients of the majority into rare cases.",
    "Net benefit": "True positives less false positives times the odds of the threshold; in tables, less treating all or none.",
    "NNE": "Number needed to evaluate: alarms for each event found; lower is better.",
    "O/E": "Observed over expected events: 1 where as many happen as are predicted, below 1 where fewer do.",
    "PPV": "Positive predictive value, or precision: share of alarms that are right.",
    "PPV deployed": "Positive predictive value at the prevalence expected where the model will be used.",
    "PROBAST": "A tool to judge the risk of bias of prediction models; PROBAST+AI is its update of 2025.",
    "ROC": "Receiver operating characteristic: sensitivity against the share of false positives at every threshold.",
    "Scaled Brier": "One less the Brier score over that of predicting the prevalence for everybody; 0 is useless, 1 perfect.",
    "SD": "Standard deviation.",
    "Sensitivity": "Share of the events that are found; also called recall.",
    "SHAP": "Shapley additive explanations: how much each predictor moves a prediction from the mean.",
    "SMD": "Standardised mean difference: difference of two groups in units of their standard deviation.",
    "SMOTE": "Synthetic minority oversampling: new cases between a case and its neighbours.",
    "Specificity": "Share of the patients without the event who are given no alarm.",
    "TRIPOD": "A reporting guideline for prediction models; TRIPOD+AI is its update of 2024.",
    "VAE": "Variational autoencoder: a neural network that learns to generate rows like those it was shown.",
}


def meaning(term: str) -> str:
    """Return the sentence on a term; empty where there is none."""
    return GLOSSARY.get(term, "")
