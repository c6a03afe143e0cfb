"""The terms of a linear model: which column of the dictionary each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from mgvae.classifiers.design import MISSING, OTHER, LinearDesign, nominal_columns
from mgvae.classifiers.portable import LinearScorer
from mgvae.classifiers.scored_design import ScoredDesign
from mgvae.results.explanations import Coefficient

PER_DEVIATION, PER_SCORE = "per standard deviation", "per normal score"
IF_MISSING, RARE, CURVED = "missing", "other levels", "curvature"


@dataclass(frozen=True)
class Term:
    """A column of a design matrix.

    Attributes:
        column: the predictor that it belongs to.
        name: what a coefficient of 1 means: a standard deviation more, a level, a missing value; the square of a normal score.
    """

    column: str
    name: str


def linear_terms(design: LinearDesign | ScoredDesign, features: pd.DataFrame) -> list[Term]:
    """Return a term for each column of the design matrix, in its order.

    Args:
        design: learned from rows with the columns of ``features``.
        features: any rows with these columns; only names and levels are read.
    """
    nominal = nominal_columns(features)
    plain = [str(name) for name in features if name not in set(nominal)]
    unit = PER_SCORE if isinstance(design, ScoredDesign) else PER_DEVIATION
    terms = [Term(name, unit) for name in plain]
    terms += [Term(plain[place], IF_MISSING) for place in design.indicated]
    for name, places in design.places.items():
        levels: Any = features[name].array
        kept = [str(levels.categories[code]) for code in design.levels[name].kept]
        names = {OTHER: RARE, MISSING: IF_MISSING} | dict(enumerate(kept))
        terms += [Term(name, names[int(place)]) for place in places]
    return terms + [Term(plain[place], CURVED) for place in (design.curved if isinstance(design, ScoredDesign) else ())]


def coefficients(scorer: LinearScorer, features: pd.DataFrame) -> tuple[Coefficient, ...]:
    """Return the log odds ratios of a linear model, those of a column side by side.

    A number's is per standard deviation of the fitting rows, or per normal score; a level's is against the levels without a
    coefficient.
    """
    order = {str(name): place for place, name in enumerate(features)}
    terms = linear_terms(scorer.design, features)  # none where the design is a column of zeros
    named = list(zip(terms, scorer.weights, strict=False))
    named.sort(key=lambda pair: order[pair[0].column])
    return tuple(Coefficient(column=term.column, term=term.name, value=float(weight)) for term, weight in named)
