"""The arms, each a way to treat the training rows of a fold, and the classifiers as a user would type them."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import mgvae
from flows.study.cache_key import code_digest
from mgvae.reproducibility import derive

OVERSAMPLERS: dict[str, Callable[[int], Any]] = {
    "random_oversampling": lambda seed: RandomOverSampler(random_state=seed),
    "smote": lambda seed: SMOTE(random_state=seed),
    "borderline_smote": lambda seed: BorderlineSMOTE(random_state=seed),
    "adasyn": lambda seed: ADASYN(random_state=seed),
    "mgvae": lambda seed: mgvae.MGVAEOverSampler(random_state=seed),
    "mgvae_stacked": lambda seed: mgvae.MGVAEOverSampler(random_state=seed, plausibility="stacked"),
}
OURS = ("mgvae", "mgvae_stacked", "guided")  # depend on the code of the library
ARMS = ("none", "class_weight", *OVERSAMPLERS, "guided")  # guided is a classifier: it stands in the place of all four
CLASSIFIERS = ("logistic_regression", "boosting", "random_forest", "bagged_trees")
TREES = CLASSIFIERS[1:]
REVISION = 1  # raise it when rows are treated, or classifiers made, differently: earlier results are then not used


@dataclass(frozen=True)
class Treated:
    """Training rows as an arm treats them.

    Attributes:
        columns, event: the real rows first.
        class_weight: what the classifiers are told, as in scikit-learn.
        seconds: of treating them.
        refused: the sampler raised an error (ADASYN does where no rare row has a common one near); the rows are as they were.
    """

    columns: NDArray[np.float64]
    event: NDArray[np.int64]
    class_weight: str | None = None
    seconds: float = 0.0
    refused: bool = False


def identity(arm: str) -> str:
    """Return a digest of what an arm's numbers depend on besides the rows."""
    what = [arm, REVISION, version("scikit-learn"), version("imbalanced-learn")]
    if arm in OURS:
        estimator = mgvae.MajorityGuidedClassifier if arm == "guided" else mgvae.MGVAEOverSampler
        what.append(code_digest(estimator.__module__))
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


def treated(arm: str, columns: NDArray[np.float64], event: NDArray[np.int64], *, seed: int) -> Treated:
    """Return training rows ``(n, P)`` as ``arm`` treats them, with a stream of its own.

    Raises:
        KeyError: there is no such arm.
    """
    if arm not in OVERSAMPLERS:
        return Treated(columns, event, {"none": None, "guided": None, "class_weight": "balanced"}[arm])
    start = time.perf_counter()
    try:
        stream = "mgvae" if arm in OURS else arm  # one training serves all arms of ours
        made, label = OVERSAMPLERS[arm](derive(seed, stream) % 2**31).fit_resample(columns, event)
    except (RuntimeError, ValueError):
        if arm in OURS:
            raise
        return Treated(columns, event, refused=True)
    return Treated(np.asarray(made), np.asarray(label), seconds=time.perf_counter() - start)


def classifier(name: str, class_weight: str | None, *, seed: int) -> Any:
    """Return an unfitted classifier with scikit-learn's defaults.

    Raises:
        KeyError: there is no such classifier.
    """
    tree = None if class_weight is None else DecisionTreeClassifier(class_weight=class_weight)
    makers: dict[str, Callable[[], Any]] = {
        "logistic_regression": lambda: make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000, class_weight=class_weight)
        ),
        "boosting": lambda: HistGradientBoostingClassifier(class_weight=class_weight, random_state=seed),
        "random_forest": lambda: RandomForestClassifier(class_weight=class_weight, random_state=seed),
        "bagged_trees": lambda: BaggingClassifier(tree, random_state=seed),
    }
    return makers[name]()


def probabilities(arm: str, rows: Treated, tested: NDArray[np.float64], *, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return by classifier the rare class's raw probability of tested rows ``(m, P)``."""
    if arm == "guided":
        model = mgvae.MajorityGuidedClassifier(random_state=derive(seed, arm) % 2**31).fit(rows.columns, rows.event)
        return dict.fromkeys(CLASSIFIERS, np.asarray(model.predict_proba(tested)[:, 1]))
    return {name: probability(name, rows, tested, seed=seed) for name in CLASSIFIERS}


def probability(name: str, rows: Treated, tested: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """Return the rare class's raw probability, ``(m,)``, of tested rows ``(m, P)``."""
    model = classifier(name, rows.class_weight, seed=derive(seed, name) % 2**31)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence on 40 rows: as users have it
        return np.asarray(model.fit(rows.columns, rows.event).predict_proba(tested)[:, 1])
