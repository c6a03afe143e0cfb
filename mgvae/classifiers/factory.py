"""Make a classifier by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import get_args

from mgvae.classifiers.classifier import Classifier
from mgvae.classifiers.models import BoostingModel, ForestModel, LogisticModel
from mgvae.config.classifiers import BuiltIn, MLPLoss
from mgvae.config.sections import Evaluation
from mgvae.errors import ConfigError

AVERAGED: tuple[BuiltIn, ...] = ("logistic_regression", "hist_gradient_boosting", "random_forest")  # members of the ensemble


@dataclass(frozen=True)
class Options:
    """What some classifiers need besides a name.

    Attributes:
        own: import paths of a user's own classifiers, by name.
        mlp_loss: what the MLP minimises.
    """

    own: Mapping[str, str] = field(default_factory=dict)
    mlp_loss: MLPLoss = "cross_entropy"


def options_of(settings: Evaluation) -> Options:
    """Return what a configuration says of its classifiers."""
    return Options(own=settings.own_classifiers, mlp_loss=settings.mlp_loss)


def make(name: str, seed: int, options: Options | None = None) -> Classifier:
    """Return an unfitted classifier.

    Args:
        name: in `mgvae.config.sections.BuiltIn` or ``options.own``.
        seed: for what the classifier draws.
        options: none leaves their defaults.
    Raises:
        ConfigError: the name is unknown, or its import path leads to no classifier.
    """
    chosen = options or Options()
    if name in chosen.own:
        from mgvae.classifiers.own import OwnModel

        return OwnModel(name, chosen.own[name], seed)
    if name not in _MAKERS:
        raise ConfigError(f"A classifier must be one of {', '.join(get_args(BuiltIn))}, or your own; got '{name}'.")
    return _MAKERS[name](seed, chosen)


def _elastic_net(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.elastic_net import ElasticNetModel

    return ElasticNetModel()


def _mlp(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.mlp import MLPModel

    return MLPModel(seed=seed, loss=options.mlp_loss)


def _majority_guided(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.guided import GuidedModel

    return GuidedModel(seed=seed)


def _ensemble(seed: int, options: Options) -> Classifier:
    from mgvae.classifiers.ensemble import EnsembleModel
    from mgvae.classifiers.scored_ridge import LinearMember

    return EnsembleModel([LinearMember(), *(make(member, seed) for member in AVERAGED[1:])])


_MAKERS: Mapping[str, Callable[[int, Options], Classifier]] = {
    "logistic_regression": lambda seed, options: LogisticModel(),
    "elastic_net": _elastic_net,
    "hist_gradient_boosting": lambda seed, options: BoostingModel(seed=seed),
    "random_forest": lambda seed, options: ForestModel(seed=seed),
    "mlp": _mlp,
    "majority_guided": _majority_guided,
    "ensemble": _ensemble,
}
