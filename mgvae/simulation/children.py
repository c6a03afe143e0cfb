"""Draw children: latent factors, exposures, the true risk and the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from mgvae.arrays import FloatArray, IntArray
from mgvae.reproducibility import numpy_generator
from mgvae.simulation.associations import ASSOCIATIONS, FACTOR_EFFECTS
from mgvae.simulation.code_book import CONDITIONS, FACTORS

BLOCK = 4096  # children who are drawn together
SIBLINGS = 0.15  # share of children whose sibling comes before them in the table
COMMON, FAMILIAL = 0.2, 0.3  # shares of a factor's variance: common to all factors of a child; common to siblings
REFERENCE = 40_000  # children who set the level of the risk
PREVALENCE = 0.02


@dataclass(frozen=True)
class Children:
    """N simulated children.

    Attributes:
        family: int64 ``(N,)``, from 0 in each block; siblings share it.
        general: how ill and how much seen a child is in general, standard normal, ``(N,)``.
        factors: latent comorbidity, standard normal, in the order of `code_book.FACTORS`, ``(N, F)``.
        social: disadvantage of the family, standard normal, ``(N,)``.
        measures: by name, what is measured without error, each ``(N,)``.
        exposures: by name, those of `associations.ASSOCIATIONS`, each ``(N,)``.
        log_odds: of the true risk, ``(N,)``.
        event: whether autism is diagnosed by the eighth birthday, ``(N,)``.
    """

    family: IntArray
    general: FloatArray
    factors: FloatArray
    social: FloatArray
    measures: dict[str, FloatArray]
    exposures: dict[str, FloatArray]
    log_odds: FloatArray
    event: IntArray

    def __len__(self) -> int:
        return len(self.event)

    @property
    def conditions(self) -> FloatArray:
        """The conditions behind codes, in the order of `code_book.CONDITIONS`, ``(N, C)``."""
        return np.column_stack([self.exposures[name] for name in CONDITIONS])


def draw_children(n: int, rng: np.random.Generator, *, prevalence: float = PREVALENCE) -> Children:
    """Draw ``n`` children.

    Args:
        n: how many.
        rng: the source of all draws.
        prevalence: mean risk in the population.
    """
    return _draw(n, rng, intercept(prevalence))


@cache
def intercept(prevalence: float) -> float:
    """Return the log odds to which all effects are added, for a mean risk."""
    line = _draw(REFERENCE, numpy_generator(0, "autism", "reference"), 0.0).log_odds
    return float(brentq(lambda level: expit(level + line).mean() - prevalence, -30.0, 10.0))


def _draw(n: int, rng: np.random.Generator, level: float) -> Children:
    family: IntArray = np.cumsum(rng.random(n) >= SIBLINGS, dtype=np.int64)
    social = rng.standard_normal(n + 1)[family]
    general = rng.standard_normal(n)
    shared = rng.standard_normal((n + 1, len(FACTORS)))[family]
    own = rng.standard_normal((n, len(FACTORS)))
    rest = np.sqrt(FAMILIAL) * shared + np.sqrt(1 - FAMILIAL) * own
    factors = np.sqrt(COMMON) * general[:, None] + np.sqrt(1 - COMMON) * rest
    at = {name: factors[:, place] for place, name in enumerate(FACTORS)}
    measures = _family(n, rng, family, social) | _birth(n, rng, at["prematurity"])
    exposures = _exposures(n, rng, measures, at, social, family)
    line = sum(np.log(one.odds_ratio) * exposures[one.exposure] for one in ASSOCIATIONS)
    line = line + sum(effect * at[name] for name, effect in FACTOR_EFFECTS.items())
    log_odds = level + np.asarray(line, dtype=np.float64)
    event = (rng.random(n) < expit(log_odds)).astype(np.int64)
    return Children(family, general, factors, social, measures, exposures, log_odds, event)


def _family(n: int, rng: np.random.Generator, family: IntArray, social: FloatArray) -> dict[str, FloatArray]:
    maternal = (29.5 - 2.0 * social + 5.2 * rng.standard_normal(n + 1)[family]).clip(15, 50)
    paternal = (maternal + 2.3 + 5.0 * rng.standard_normal(n + 1)[family]).clip(15, 75)
    bmi = np.exp(np.log(25.5) + 0.04 * social + 0.2 * rng.standard_normal(n + 1)[family]).clip(15, 60)
    parity = rng.poisson(0.75 + 0.15 * (social > 0), n).clip(0, 9).astype(np.float64)
    parity += np.diff(family, prepend=-1) == 0  # a child with a sibling before it was not the first
    months = np.exp(rng.normal(np.log(28), 0.65, n)).clip(1, 180)
    return {
        "maternal_age_years": maternal,
        "paternal_age_years": paternal,
        "maternal_bmi_kg_m2": bmi,
        "parity": parity,
        "interpregnancy_months": np.where(parity > 0, months, np.nan),
    }


def _birth(n: int, rng: np.random.Generator, prematurity: FloatArray) -> dict[str, FloatArray]:
    early = rng.exponential(1.0, n) * np.exp(0.7 * prematurity)
    weeks = (40.2 - 0.95 * early + 0.8 * rng.standard_normal(n)).clip(23, 42)
    grams = (3500 + 150 * (weeks - 40) + 420 * rng.standard_normal(n)).clip(400, 5800)
    apgar = np.rint(9.3 - 0.12 * (40 - weeks) - 0.3 * prematurity + 0.8 * rng.standard_normal(n)).clip(0, 10)
    return {"gestation_weeks": weeks, "birth_weight_g": grams, "apgar_5_min": apgar}


def _exposures(
    n: int,
    rng: np.random.Generator,
    measures: dict[str, FloatArray],
    at: dict[str, FloatArray],
    social: FloatArray,
    family: IntArray,
) -> dict[str, FloatArray]:
    weeks, bmi = measures["gestation_weeks"], measures["maternal_bmi_kg_m2"]
    obese = bmi >= 30
    siblings = measures["parity"] > 0
    liability = at["neurodevelopment"]

    def drawn(share: float, *log_odds: Any, of_mother: bool = False) -> FloatArray:
        uniform = rng.random(n + 1)[family] if of_mother else rng.random(n)
        has: FloatArray = (uniform < expit(logit(share) + sum(log_odds))).astype(np.float64)
        return has

    found = {
        "male": drawn(0.512),
        "paternal_decades": (measures["paternal_age_years"] - 30) / 10,
        "maternal_decades": (measures["maternal_age_years"] - 30) / 10,
        "extremely_preterm": (weeks < 28).astype(np.float64),
        "other_preterm": ((weeks >= 28) & (weeks < 37)).astype(np.float64),
        "early_term": ((weeks >= 37) & (weeks < 39)).astype(np.float64),
        "sibling_autism": siblings * drawn(0.015, 0.3 * liability),
        "sibling_adhd": siblings * drawn(0.05, 0.3 * liability),
        "parental_psychiatric": drawn(0.12, 0.3 * social, of_mother=True),
        "maternal_valproate": drawn(0.001, of_mother=True),
        "maternal_infection": drawn(0.03, 0.2 * social),
        "maternal_obesity": obese.astype(np.float64),
        "gestational_diabetes": drawn(0.06, 0.9 * obese),
        "hypertension_in_pregnancy": drawn(0.06, 0.9 * obese, 0.4 * at["prematurity"]),
        "folic_acid": drawn(0.6, -0.5 * social),
        "caesarean": drawn(0.28, 0.35 * obese, 0.4 * (weeks < 37)),
        "short_interval": (measures["interpregnancy_months"] < 12).astype(np.float64),
    }
    for name, condition in CONDITIONS.items():
        spread = np.sqrt(1 + condition.loading**2 / 2.89)
        found[name] = (
            rng.random(n) < expit(logit(condition.share) * spread + condition.loading * at[condition.factor])
        ).astype(np.float64)
    return found
