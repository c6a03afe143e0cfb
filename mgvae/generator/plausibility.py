"""Which translations are kept: are they rare cases at all?

Judges, fitted on the training rows, say how much likelier a row is among cases than among majority patients, see
`mgvae.generator.judges`. More translations are made than are needed, and

- ``matched``: they are drawn again with weights r_case(x) / r_made(x), where r_made is what the same kind of classifier finds
  between translations and majority patients. What is kept then differs from the majority as the real cases do; relabelled
  majority patients are thinned out, and so is what the decoder exaggerates.
- ``stacked``: the same, with judges whose weights are learned, one of them randomised trees.
- ``filtered``: those that look less like a case than nearly all real cases do are dropped.

No translation is kept twice.

Source: sampling-importance resampling, Rubin 1987, doi:10.2307/2289460; density ratios by classification, Sugiyama et al. 2012;
rejection by a classifier, Azadi et al. 2019, arXiv:1810.06758.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd
import torch

from mgvae.arrays import Array, IntArray
from mgvae.generator.judges import MODEST, fit_case_ratio, fit_judges, judging, log_odds
from mgvae.generator.translation import draw_parents
from mgvae.reproducibility import numpy_generator
from mgvae.torch_runtime import torch_generator
from mgvae.training.exemplar_weights import LEAST, capped

OVERSUPPLY = 4  # translations made for each that is kept
ROUNDS = 3  # of weighing translations; on five cohorts one was too few, and six no better than two to four
MOST_ROWS = 20_000  # majority rows that a judge is fitted on: with more, a rare class gains nothing
IMPLAUSIBLE = 0.05  # share of the real cases that "filtered" would drop
Plausibility = Literal["matched", "stacked", "filtered", "none"]


class Takeable(Protocol):
    """Rows of which some are taken: a table, or what is read or decoded then."""

    def __len__(self) -> int: ...

    def take(self, indices: IntArray, /) -> pd.DataFrame:
        """Return the rows at ``indices``."""
        ...


@dataclass(frozen=True)
class Kept:
    """Distinct positions of the translations that are kept, ``(n,)``; remarks."""

    rows: Array
    remarks: tuple[str, ...] = ()


def keep_plausible(
    made: pd.DataFrame,
    majority: Takeable,
    cases: pd.DataFrame,
    group: Array,
    *,
    n: int,
    how: Plausibility,
    seed: int,
) -> Kept:
    """Choose ``n`` of the translations.

    Args:
        made: translations, ``(M, P)``, M at least n.
        majority, cases: training rows, typed alike.
        group: group codes of the majority rows, then of the cases; a group is on one side of a fold unless
            groups cannot be divided so that each fold has both classes.
        n: how many are kept.
        how: see the module. With one case, or one group of them, nobody can judge, and the first n are kept.
        seed: of folds and classifiers.
    """
    event = np.repeat([False, True], [len(majority), len(cases)])
    if how == "none" or len(np.unique(group[event])) < 2 or len(made) == n or not n:
        return Kept(np.arange(n))
    kept = event | _some(len(event), MOST_ROWS, seed)
    rows = pd.concat([majority.take(np.flatnonzero(kept[: len(majority)])), cases], ignore_index=True)
    ratio = fit_case_ratio(rows, event[kept], group[kept], seed=seed, learned=how == "stacked")
    score = ratio(made)
    if how == "filtered":
        implausible = score < np.quantile(ratio.of_cases, IMPLAUSIBLE)
        best = np.lexsort((-score * implausible, implausible))[:n]  # the best of the rest fill up what is lacking
        return Kept(best, ratio.remarks)
    return Kept(drawn_once(_matching_weight(score, made, majority, n, seed=seed), n, seed=seed), ratio.remarks)


def drawn_once(log_weight: Array, n: int, *, seed: int) -> Array:
    """Draw ``n`` distinct positions by ``log_weight (M,)``; M is more than n."""
    log_share = torch.from_numpy(np.log(_share(log_weight, n)))
    return draw_parents(len(log_weight), n, torch_generator(seed, "keep"), log_weight=log_share).numpy()


def _share(log_weight: Array, n: int) -> Array:
    """Return weights ``(M,)``, each below 1 / n: none of n is drawn twice."""
    return capped(np.exp(np.maximum(log_weight - log_weight.max(), LEAST)), (1 - 1e-6) / n)


def _matching_weight(score: Array, made: pd.DataFrame, majority: Takeable, n: int, *, seed: int) -> Array:
    """Return log weights ``(M,)`` that make translations differ by ``score``.

    Modest judges compare: deeper ones tell translations from patients by detail of no consequence. They are shrunk towards "no
    difference", so that one round leaves some of it: each round adds what the weighted translations still lack.
    """
    real = majority.take(np.flatnonzero(_some(len(majority), MOST_ROWS, seed)))
    shown = min(len(made), MOST_ROWS)
    rows = pd.concat([real, made.iloc[:shown]], ignore_index=True)
    label = np.repeat([False, True], [len(real), shown])
    weight = np.zeros(len(made))
    for _ in range(ROUNDS):
        share = _share(weight, n)[:shown]
        balanced = np.concatenate([np.ones(len(real)), share * len(real) / share.sum()])
        judges = fit_judges(judging(rows, MODEST), rows, label, seed, weights=balanced)
        weight += score - log_odds(judges, made).mean(axis=1)
    return weight


def _some(rows: int, most: int, seed: int) -> Array:
    """Return bool ``(rows,)``, true for ``most`` of them at random."""
    chosen = np.zeros(rows, dtype=bool)
    chosen[numpy_generator(seed, "some").permutation(rows)[:most]] = True
    return chosen
