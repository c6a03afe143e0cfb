"""Fitted classifiers as plain numbers that predict the same and have a JSON form.

Neither pickle nor any version of scikit-learn stands between a model that was saved and its predictions, and the same model is
the same bytes, which a store that is addressed by content needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from scipy.special import expit

from mgvae.arrays import FloatArray
from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.design import LinearDesign
from mgvae.classifiers.design_json import as_json, linear_design, scored_design
from mgvae.classifiers.network import Network
from mgvae.classifiers.portable_trees import ForestScorer, TreeScorer, boosting_of, forest_of
from mgvae.classifiers.recalibration import to_logit
from mgvae.classifiers.row_sums import row_sums
from mgvae.classifiers.scored_design import ScoredDesign
from mgvae.errors import CheckpointError


class Scorer(Protocol):
    """A fitted model of the event's probability."""

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """Return the event's probability for each row, ``(N,)``."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the model as plain JSON."""
        ...


@dataclass(frozen=True)
class LinearScorer:
    """Logistic regression or a majority-guided score: ``weights`` of the design's columns, and ``intercept``."""

    design: LinearDesign | ScoredDesign
    weights: FloatArray
    intercept: float

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        return np.asarray(expit(row_sums(self.design.rows(features), self.weights) + self.intercept))

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        kind = "scored" if isinstance(self.design, ScoredDesign) else "linear"
        return {"type": kind, **as_json(self.design), "weights": self.weights.tolist(), "intercept": self.intercept}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> LinearScorer:
        """Return the scorer in `to_json`'s result."""
        design = scored_design(content) if content["type"] == "scored" else linear_design(content)
        return cls(design, np.array(content["weights"], dtype=np.float64), float(content["intercept"]))


@dataclass(frozen=True)
class NetworkScorer:
    """A multilayer perceptron."""

    design: LinearDesign
    network: Network

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        return self.network.predict_proba(self.design.rows(features))

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        return {"type": "network", **as_json(self.design), "network": self.network.to_json()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> NetworkScorer:
        """Return the scorer in `to_json`'s result."""
        return cls(linear_design(content), Network.from_json(content["network"]))


@dataclass(frozen=True)
class RecipeScorer:
    """A user's own classifier, of which no more than how it was made can be saved.

    Attributes:
        recipe: name, import path, package's version, digests of source and training rows, seed.
        fitted: predicts; None once the scorer was read from JSON.
    """

    recipe: Mapping[str, Any]
    fitted: Classifier | None = None

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`.

        Raises:
            CheckpointError: the scorer was read from JSON.
        """
        if self.fitted is None:
            raise CheckpointError(
                f"A model must have a classifier that is saved as numbers; '{self.recipe['name']}' is the user's own, of which "
                "only the recipe is saved. Fit it again, or recommend among the built-in classifiers."
            )
        return self.fitted.predict_proba(features)

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        return {"type": "recipe", **self.recipe}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RecipeScorer:
        """Return the scorer in `to_json`'s result, which does not predict."""
        return cls({key: content[key] for key in ("name", "path", "version", "source", "seed", "trained_on")})


@dataclass(frozen=True)
class EnsembleScorer:
    """A weighted sum of several models' log odds.

    Attributes:
        members: the models.
        weights: of their log odds, ``(members,)``.
        intercept: what is added.
        floor: a member's probability is kept within ``[floor, 1 - floor]``.
    """

    members: tuple[Scorer, ...]
    weights: FloatArray
    intercept: float
    floor: float

    def predict_proba(self, features: pd.DataFrame) -> FloatArray:
        """See `Scorer`."""
        lines = [to_logit(member.predict_proba(features), smallest=self.floor) for member in self.members]
        return np.asarray(expit(self.intercept + row_sums(np.stack(lines).T, self.weights)))

    def to_json(self) -> dict[str, Any]:
        """See `Scorer`."""
        members = [member.to_json() for member in self.members]
        numbers = {"weights": self.weights.tolist(), "intercept": self.intercept, "floor": self.floor}
        return {"type": "ensemble", "members": members, **numbers}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> EnsembleScorer:
        """Return the scorer in `to_json`'s result."""
        members = tuple(scorer_from_json(member) for member in content["members"])
        weights = np.array(content["weights"], dtype=np.float64)
        return cls(members, weights, float(content["intercept"]), float(content["floor"]))


READERS: Mapping[str, Callable[[Mapping[str, Any]], Scorer]] = {
    "linear": LinearScorer.from_json,
    "scored": LinearScorer.from_json,
    "ensemble": EnsembleScorer.from_json,
    "trees": TreeScorer.from_json,
    "forest": ForestScorer.from_json,
    "network": NetworkScorer.from_json,
    "recipe": RecipeScorer.from_json,
}


def scorer_of(classifier: Classifier) -> Scorer:
    """Return a fitted classifier as plain numbers.

    Raises:
        TypeError: it is none of those that `classifiers.make` makes.
    """
    from mgvae.classifiers.models import BoostingModel, ForestModel, LogisticModel  # predictions need no scikit-learn

    if isinstance(classifier, LogisticModel):
        return LinearScorer(classifier._design, classifier.coefficients, float(classifier._model.intercept_[0]))
    if isinstance(classifier, BoostingModel):
        return boosting_of(classifier._model, classifier._design)
    if isinstance(classifier, ForestModel):
        return forest_of(classifier._model, classifier._design)
    return _scorer_of_rarer(classifier)


def _scorer_of_rarer(classifier: Classifier) -> Scorer:
    """Return one of the models whose modules take time to import as plain numbers."""
    from mgvae.classifiers.elastic_net import ElasticNetModel
    from mgvae.classifiers.ensemble import EnsembleModel
    from mgvae.classifiers.guided import GuidedModel
    from mgvae.classifiers.mlp import MLPModel
    from mgvae.classifiers.own import OwnModel
    from mgvae.classifiers.scored_ridge import LinearMember, ScoredRidgeModel

    if isinstance(classifier, LinearMember):
        return scorer_of(classifier.chosen)
    if isinstance(classifier, GuidedModel | ScoredRidgeModel):
        return LinearScorer(classifier.design, classifier.score.weights, classifier.score.intercept)
    if isinstance(classifier, EnsembleModel):
        members = tuple(scorer_of(member) for member in classifier.members)
        return EnsembleScorer(members, classifier.weights, classifier.intercept, classifier.floor)
    if isinstance(classifier, ElasticNetModel):
        return LinearScorer(classifier._design, classifier.coefficients, classifier.intercept)
    if isinstance(classifier, MLPModel):
        return NetworkScorer(classifier.design, classifier.network)
    if isinstance(classifier, OwnModel):
        return RecipeScorer(classifier.recipe(), classifier)
    raise TypeError(type(classifier).__name__)


def scorer_from_json(content: Mapping[str, Any]) -> Scorer:
    """Return the scorer in `Scorer.to_json`'s result; a wrong key raises as in Python."""
    if content["type"] not in READERS:
        raise ValueError("type")
    return READERS[content["type"]](content)
