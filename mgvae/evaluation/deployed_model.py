"""The recommended model as files: as it was evaluated, and refitted on all patients."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mgvae.arrays import BoolArray
from mgvae.classifiers.deployed import DeployedModel as DeployedModel
from mgvae.classifiers.deployed import content_of, levels_of, model_from
from mgvae.classifiers.recalibration import Recalibration
from mgvae.cohort.build import Cohort
from mgvae.cohort.rows import rows
from mgvae.config.dictionary import canonical
from mgvae.config.sections import Arm, Classifier
from mgvae.config.study import CohortConfig
from mgvae.errors import CheckpointError
from mgvae.reproducibility import derive
from mgvae.results.evaluation import Line

MODEL, EVALUATED = "model.json", "evaluated_model.json"
PREDICTIONS, TRAINED_ON = "predictions.parquet", "trained_on.parquet"


def fit_deployed(
    cohort: Cohort,
    config: CohortConfig,
    *,
    arm: Arm,
    classifier: Classifier,
    recalibration: Line | None = None,
    refitted: bool = False,
) -> DeployedModel:
    """Fit the recommended model.

    On the training part it predicts the hold-out as `mgvae.evaluation.evaluate.evaluate` did. Refitted on all patients, no
    patient is left to judge it: the evaluation of its predecessor, on fewer patients, stands for it.

    Args:
        cohort: the training part, or all eligible subjects.
        config: the study.
        arm, classifier: as recommended.
        recalibration: learned in the evaluation for these rows; None for none.
        refitted: whether ``cohort`` are all eligible subjects; gives the fit a seed of its own.
    Raises:
        OutcomeError: too few events.
        TrainingError: a generator could not be trained.
    """
    # who only reads a model needs none of these, and they take seconds to import
    from mgvae.classifiers.portable import scorer_of
    from mgvae.classifiers.region import fit_region
    from mgvae.evaluation.cross_validation import holdout_seed
    from mgvae.evaluation.evaluate import chain_of, evaluation_seed
    from mgvae.evaluation.one_split import fit_chain
    from mgvae.threads import one_thread

    fitting = rows(cohort.features, cohort.event, cohort.group, cohort.weight)
    seed = evaluation_seed(config)
    with one_thread():
        fitted = fit_chain(
            fitting, chain_of(config), arm, classifier, seed=derive(seed, "refit") if refitted else holdout_seed(seed)
        )
    return DeployedModel(
        arm=arm,
        classifier=classifier,
        target={
            "outcome": [config.outcome.column, canonical(config.outcome.event)],
            "subject_id": config.subject_id,
            "group": config.group,
            "index_date": config.index_date,
        },
        columns={
            str(name): {"kind": column.kind, "unit": column.unit, "levels": levels_of(cohort.features, str(name))}
            for name, column in config.columns.features.items()
        },
        scorer=scorer_of(fitted.classifier),
        fitted_share=fitted.fitted_share,
        prevalence=fitted.prevalence,
        recalibration=Recalibration(recalibration.intercept, recalibration.slope) if recalibration else Recalibration(),
        region=fit_region(cohort.features, most=config.evaluation.majority_rows, seed=derive(seed, "region")),
    )


def save_deployed(
    folder: Path, evaluated: DeployedModel, cohort: Cohort, test: BoolArray, *, refitted: DeployedModel | None = None
) -> None:
    """Write the recommended model, its predictions of the hold-out and its patients.

    The files: ``evaluated_model.json``, the model that predicted the hold-out; ``predictions.parquet`` and
    ``trained_on.parquet``, its predictions and training patients; ``model.json``, the model to use.

    Args:
        folder: is there and empty.
        evaluated: fitted on the training part.
        cohort: the eligible subjects.
        test: bool ``(n,)``, the hold-out, which is predicted; the names of the others are kept as those of its training
            patients.
        refitted: fitted on all of ``cohort``; the model to use. None: the evaluated one is used.
    """
    for name, model in ((EVALUATED, evaluated), (MODEL, refitted or evaluated)):
        (folder / name).write_text(json.dumps(content_of(model), allow_nan=False), encoding="utf-8")
    holdout = cohort.take(test)
    blocks = rows(holdout.features, holdout.event, holdout.group).blocks()
    probability = np.concatenate([evaluated.predict(block) for block in blocks])
    predicted = _names(holdout).assign(event=holdout.event, probability=probability, weight=holdout.weights)
    predicted.to_parquet(folder / PREDICTIONS, index=False)
    _names(cohort)[~test].to_parquet(folder / TRAINED_ON, index=False)


def judged_holdout(path: Path) -> pd.DataFrame:
    """Return group, event, probability and weight of a hold-out; the weight is 1 where an earlier version wrote none.

    Raises:
        OSError, ValueError, LookupError: the file cannot be read.
    """
    found = pd.read_parquet(path)
    return found.assign(weight=found.get("weight", 1.0))[["group", "event", "probability", "weight"]]


def load_deployed(folder: Path, name: str = MODEL) -> DeployedModel:
    """Return a model that `save_deployed` wrote; the model to use by default.

    Raises:
        CheckpointError: the file is missing, unreadable, of another format or incomplete.
    """
    try:
        return model_from(json.loads((folder / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"A model must be a readable and complete {name}; {type(error).__name__}. Run the study again."
        ) from None


def seen_in_training(folder: Path, cohort: Cohort, *, named: bool) -> BoolArray:
    """Return which subjects a model may have been fitted on, bool ``(n,)``.

    A subject counts whose own name or whose group's name is among those of the training patients.

    Args:
        folder: of `save_deployed`.
        cohort: subjects, of another extract perhaps.
        named: whether the subjects' names are theirs; where they are numbers of rows, all without a group may have been seen.
    Raises:
        CheckpointError: the names cannot be read.
    """
    return _among(folder, (TRAINED_ON,), cohort, named)


def met_before(folder: Path, cohort: Cohort, *, named: bool) -> BoolArray:
    """Return which subjects were in a model's extract, its hold-out included; arguments are those of `seen_in_training`."""
    return _among(folder, (TRAINED_ON, PREDICTIONS), cohort, named)


def _among(folder: Path, files: Sequence[str], cohort: Cohort, named: bool) -> BoolArray:
    try:
        known = pd.concat([pd.read_parquet(folder / name, columns=["subject", "group"]) for name in files])
        subjects, groups = set(known["subject"]), set(known["group"].dropna())
    except (OSError, ValueError, LookupError) as error:
        raise CheckpointError(f"A model must have a readable {' and '.join(files)}; {type(error).__name__}.") from None
    own = _names(cohort)
    by_name = own["subject"].isin(subjects) if named else own["group"].isna()
    return np.asarray(by_name | own["group"].isin(groups), dtype=bool)


def _names(cohort: Cohort) -> pd.DataFrame:
    return pd.DataFrame({"subject": cohort.subject.astype(str), "group": pd.Series(cohort.group_name, dtype="str")})
