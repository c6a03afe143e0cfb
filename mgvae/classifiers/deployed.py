"""A fitted model with all that its predictions need, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mgvae.arrays import FloatArray
from mgvae.classifiers.portable import RecipeScorer, Scorer, scorer_from_json
from mgvae.classifiers.recalibration import Recalibration, offset
from mgvae.classifiers.region import Region
from mgvae.errors import CheckpointError, ShapeError, first_few

FORMAT = 2
FORMATS = (1, FORMAT)  # the first had no region


@dataclass(frozen=True)
class DeployedModel:
    """A model with all that its predictions need, without scikit-learn.

    Attributes:
        arm, classifier: how it was fitted.
        target: the outcome, and the columns that name subjects and groups.
        columns: by name the kind, unit and levels of each predictor, in order.
        scorer: gives raw probabilities.
        fitted_share, prevalence: what moves them back, see `mgvae.evaluation.one_split.Fitted`.
        recalibration: learned from out-of-fold predictions, see `mgvae.evaluation.cross_validation`.
        region: where its patients lie; None where an earlier version fitted it.
    """

    arm: str
    classifier: str
    target: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, Any]]
    scorer: Scorer
    fitted_share: float
    prevalence: float
    recalibration: Recalibration
    region: Region | None = None

    def predict(self, features: pd.DataFrame) -> FloatArray:
        """Return the recalibrated probability of the event for each row, ``(N,)``.

        Raises:
            ShapeError: a column is absent or has other levels.
        """
        changed = [name for name, column in self.columns.items() if levels_of(features, name) != column["levels"]]
        if changed:
            raise ShapeError(
                f"The model needs columns with the levels that it was fitted on; other or absent: {first_few(changed)}."
            )
        raw = self.scorer.predict_proba(features[list(self.columns)])
        return self.recalibration(offset(raw, fitted_share=self.fitted_share, share=self.prevalence))

    def obstacle(self, other: DeployedModel) -> str | None:
        """Return why this model cannot predict rows made for ``other``, if it cannot.

        Columns that ``other`` has besides are no obstacle.
        """
        if isinstance(self.scorer, RecipeScorer):
            return "its classifier is the user's own, of which only the recipe is saved"
        changed = [name for name, value in self.target.items() if other.target.get(name) != value]
        if changed:
            return f"the study changed since: {first_few(changed)}"
        changed = [name for name, column in self.columns.items() if other.columns.get(name) != column]
        return f"the data dictionary changed since; its columns {first_few(changed)} are other or absent" if changed else None


def content_of(model: DeployedModel) -> dict[str, Any]:
    """Return a model as plain JSON."""
    return {
        "format": FORMAT,
        **{key: getattr(model, key) for key in ("arm", "classifier", "target", "columns", "fitted_share", "prevalence")},
        "recalibration": {"intercept": model.recalibration.intercept, "slope": model.recalibration.slope},
        "scorer": model.scorer.to_json(),
        "region": None if model.region is None else model.region.to_json(),
    }


def model_from(content: Mapping[str, Any]) -> DeployedModel:
    """Return the model in `content_of`'s result; a wrong key raises as in Python.

    Raises:
        CheckpointError: it has another format.
    """
    if content["format"] not in FORMATS:
        raise CheckpointError(f"A model must have format {FORMAT}; got another. Run the study again.")
    region = content.get("region")
    return DeployedModel(
        **{key: content[key] for key in ("arm", "classifier", "target", "columns", "fitted_share", "prevalence")},
        recalibration=Recalibration(**content["recalibration"]),
        scorer=scorer_from_json(content["scorer"]),
        region=None if region is None else Region.from_json(region),
    )


def levels_of(features: pd.DataFrame, name: str) -> list[str] | bool | None:
    """Return the levels of a column, None for numbers, False where it is absent."""
    if name not in features:
        return False
    dtype = features[name].dtype
    return [str(level) for level in dtype.categories] if isinstance(dtype, pd.CategoricalDtype) else None
