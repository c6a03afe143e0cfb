"""The weighted mean of several classifiers' log odds.

Which members and weights was chosen by `tests.benchmarks.few_events` on six cohorts with 10 to 100 events; its log holds what
did not help. Weights that are learned from so few events cost more than they gain.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.arrays import FloatArray, IntArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.design import information
from mgvae.classifiers.guided import GuidedModel
from mgvae.classifiers.models import BoostingModel, ForestModel, LogisticModel
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.row_sums import row_sums
from mgvae.classifiers.scored_ridge import LinearMember
from mgvae.errors import TrainingError

TREES_NEED = 10  # events at which trees weigh half as much as the others
FLAT = 1e-9  # spread of log odds that is none


class EnsembleModel:
    """Classifiers whose log odds are averaged, each in units of its own spread.

    All weigh the same, but for trees, which need events: they weigh events / (events + 10). The mean has the members' mean
    spread and level. A member that gives every row the same risk has no say.

    Attributes:
        members: the classifiers.
        weights: of their log odds, ``(members,)``.
        intercept: what is added.
        floor: probabilities are kept within ``[floor, 1 - floor]`` before their log odds are taken: half of one row.
    """

    def __init__(self, members: Sequence[Classifier]) -> None:
        self.members = tuple(members)

    def fit(self, features: pd.DataFrame, event: IntArray, weights: FloatArray | None = None) -> EnsembleModel:
        """Fit; see `Classifier.fit`."""
        for member in self.members:
            member.fit(features, event, weights)
        self.floor = 0.5 / len(event)
        lines = self._log_odds(features)
        centres = np.average(lines, axis=1, weights=weights)
        spreads = np.sqrt(np.average((lines - centres[:, None]) ** 2, axis=1, weights=weights))
        events = information(event, weights)
        say = np.array([_say(member, events) for member in self.members]) * (spreads > FLAT)
        shares = say / max(say.sum(), FLAT)
        self.weights = shares * float(shares @ spreads) / np.maximum(spreads, FLAT)
        self.intercept = float(centres.mean() - self.weights @ centres)
        return self

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability, ``(N,)``."""
        return np.asarray(expit(self.intercept + row_sums(self._log_odds(features).T, self.weights)), dtype=np.float64)

    def _log_odds(self, features: pd.DataFrame) -> FloatArray:
        """Return the members' log odds, ``(members, N)``."""
        return np.stack([to_logit(member.predict_proba(features), smallest=self.floor) for member in self.members])


def _say(member: Classifier, events: float) -> float:
    """Return a member's weight before it is put on the scale of its spread."""
    return events / (events + TREES_NEED) if isinstance(member, BoostingModel | ForestModel) else 1.0


def with_guide(classifier: Classifier, seed: int) -> EnsembleModel:
    """Return an unfitted classifier averaged with the majority-guided score.

    It becomes one more member of an ensemble. Beside it, logistic regression is penalised as wide tables need, where one is.

    Raises:
        TrainingError: the classifier is the score itself.
    """
    if isinstance(classifier, GuidedModel):
        raise TrainingError("The majority-guided score is this classifier already; see it without correction.")
    members = classifier.members if isinstance(classifier, EnsembleModel) else (classifier,)
    members = tuple(LinearMember() if isinstance(member, LogisticModel) else member for member in members)
    return EnsembleModel((*members, GuidedModel(seed=seed)))
