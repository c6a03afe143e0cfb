"""Run the chain on one split: treat the fitting rows, fit each classifier, predict."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mgvae.arrays import FloatArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.ensemble import with_guide
from mgvae.classifiers.factory import Options, make
from mgvae.classifiers.recalibration import offset
from mgvae.cohort.rows import Rows
from mgvae.cohort.stored_rows import AnyRows
from mgvae.config.sections import Arm
from mgvae.config.sections import Classifier as ClassifierName
from mgvae.errors import DataError, TrainingError
from mgvae.evaluation.arm_kinds import GENERATIVE, SAME_FIT
from mgvae.evaluation.arms import Recipe, Treated, treat
from mgvae.evaluation.majority import draw_majority
from mgvae.reproducibility import derive
from mgvae.results.evaluation import Variant

VARIANTS: tuple[Variant, ...] = ("raw", "offset", "recalibrated")


@dataclass(frozen=True)
class Chain:
    """What is done on each split.

    Attributes:
        arms, classifiers: names, see `mgvae.config.study`.
        recipe: what the arms need.
        options: what the classifiers need.
        majority_rows: most rows without the event that a fit learns from, see `mgvae.evaluation.majority`; None for all.
    """

    arms: tuple[Arm, ...]
    classifiers: tuple[ClassifierName, ...]
    recipe: Recipe
    options: Options = field(default_factory=Options)
    majority_rows: int | None = None

    @property
    def fitted_arms(self) -> tuple[Arm, ...]:
        """The arms with a fit of their own: not those that only move a threshold."""
        return tuple(arm for arm in self.arms if SAME_FIT.get(arm) not in self.arms)


@dataclass(frozen=True)
class ArmOutcome:
    """What an arm gives on one split.

    Attributes:
        raw: predicted probability of each test row, ``(N_test,)``, by classifier.
        fitted_share: (weighted) share of events that the classifiers were fitted on.
        unavailable: why the arm could not be run, else None.
        remarks: what a reader must know, in full sentences.
    """

    raw: dict[ClassifierName, FloatArray] = field(default_factory=dict)
    fitted_share: float = 0.5
    unavailable: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fitted:
    """A classifier fitted on treated rows, whose probabilities are moved back.

    Attributes:
        classifier: gives raw probabilities.
        fitted_share: (weighted) share of events that it was fitted on.
        prevalence: share of events among the fitting rows, before the arm.
    """

    classifier: Classifier
    fitted_share: float
    prevalence: float

    def predict(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, offset, not recalibrated, ``(N,)``."""
        raw = self.classifier.predict_proba(features)
        return offset(raw, fitted_share=self.fitted_share, share=self.prevalence)


def uses_torch(arm: Arm, chain: Chain) -> bool:
    """Return whether an arm or a classifier of the chain may use torch; the MLP minds its threads itself."""
    return arm in GENERATIVE or bool(chain.options.own)


def run_arm(arm: Arm, train: Rows, test: AnyRows, chain: Chain, *, seed: int) -> ArmOutcome:
    """Fit every classifier on ``train`` as ``arm`` treats it and predict ``test``.

    An arm that cannot be run on so few cases says so, and so does a classifier that cannot be fitted on an arm's rows; without
    the no-correction arm there is nothing to report, so its error is raised.

    Args:
        arm: a name in `mgvae.config.sections.Arm`.
        train: training rows, real.
        test: rows to predict, real; of these only the predictors are read.
        chain: what to do.
        seed: the seed of this split.
    Raises:
        OutcomeError: the training rows hold one class only.
    """
    train.require_both_classes("Fitting a classifier")
    try:
        treated = _treated(arm, train, chain, seed)
    except (DataError, TrainingError) as error:
        if arm == "none":
            raise
        return ArmOutcome(unavailable=str(error))
    raw: dict[ClassifierName, FloatArray] = {}
    remarks = treated.remarks
    for classifier in chain.classifiers:
        try:
            fitted = fit_classifier(classifier, treated, chain, seed)
            raw[classifier] = np.concatenate([fitted.predict_proba(block) for block in test.blocks()])
        except TrainingError as error:
            if arm == "none":
                raise
            remarks += (f"Arm '{arm}' was not run with '{classifier}'. {error}",)
    return ArmOutcome(raw, treated.share, None, remarks)


def fit_chain(train: AnyRows, chain: Chain, arm: Arm, classifier: ClassifierName, *, seed: int) -> Fitted:
    """Return the model with which `mgvae.evaluation.cells.run_cell`, given the same seed, predicts.

    What recalibrates it is learned from out-of-fold predictions, see `mgvae.evaluation.cross_validation`.

    Raises:
        OutcomeError: the training rows hold one class only, or are too few for this arm.
        TrainingError: a generator could not be trained.
    """
    train.labels.require_both_classes("Fitting a classifier")
    drawn = draw_majority(train.event, train.group, chain.majority_rows, seed=seed).rows
    fitting = train if isinstance(train, Rows) and len(drawn) == len(train) else train.take(drawn)
    treated = _treated(SAME_FIT.get(arm, arm), fitting, chain, seed)
    return Fitted(fit_classifier(classifier, treated, chain, seed), treated.share, train.prevalence)


def _treated(arm: Arm, train: Rows, chain: Chain, seed: int) -> Treated:
    return treat(arm, train, chain.recipe, seed=derive(seed, "arm", arm))


def fit_classifier(classifier: ClassifierName, treated: Treated, chain: Chain, seed: int) -> Classifier:
    """Return a classifier fitted on treated rows; the seed is that of the split."""
    own_seed = derive(seed, "classifier", classifier)
    made = make(classifier, own_seed, chain.options)
    model = with_guide(made, derive(own_seed, "guide")) if treated.guided else made
    return model.fit(treated.features, treated.event, treated.weights)
