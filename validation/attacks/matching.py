"""Majority patients held out who are comparable with parents.

The parents of synthetic cases are chosen: they resemble cases. Compared with all held-out majority patients they would seem
members although nothing leaks. So the held-out patients are thinned until they resemble cases as much as the parents do.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from mgvae.cohort.embedding import Floats
from mgvae.reproducibility import derive, numpy_generator

MOST_ROWS = 8000


def comparable(parents: Floats, majority: Floats, holdout: Floats, *, seed: int) -> tuple[Floats, Floats]:
    """Return some of the parents and the held-out patients to compare them with.

    Two models, which are averaged, say how likely a training patient is to be a parent; a held-out patient stays with a
    probability in proportion (rejection sampling; Rosenbaum and Rubin, Biometrika 1983).

    Args:
        parents: positions of the parents in ``majority``, with repetitions.
        majority, holdout: embedded rows.
        seed: of all draws.

    Returns:
        Embedded parents, each once, and embedded held-out patients.
    """
    draw = numpy_generator(seed, "comparable")
    chosen = np.zeros(len(majority), dtype=bool)
    chosen[parents] = True
    rows = draw.permutation(len(majority))
    if chosen.all() or len(holdout) == 0:
        return majority[chosen], holdout
    # one half says how likely a parent is, and the parents of the other half are attacked: none judges itself
    fitted, attacked = rows[: len(rows) // 2][:MOST_ROWS], rows[len(rows) // 2 :]
    if not 0 < chosen[fitted].sum() < len(fitted):
        return majority[chosen], holdout
    models = [
        LogisticRegression(C=0.1, max_iter=500),
        HistGradientBoostingClassifier(
            max_iter=60, learning_rate=0.08, min_samples_leaf=30, random_state=derive(seed, "trees")
        ),
    ]
    found = [model.fit(majority[fitted], chosen[fitted]).predict_proba(holdout)[:, 1] for model in models]
    likely = np.mean(found, axis=0)
    kept = draw.random(len(holdout)) < np.minimum(likely / np.quantile(likely, 0.99), 1.0)
    return majority[attacked[chosen[attacked]]], holdout[kept]
