"""The diagnosis, drug and procedure codes of the simulated records, and what raises each.

The book is part of the world: every seed draws children from the same one. Its chapters follow ICD-10 and ATC. Eleven codes
stand for the conditions of `mgvae.simulation.associations`; how frequent the others are and how strongly they follow the latent
factors is drawn: shares of children are log-normal (median 0.35 %), as most codes of real records are rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import logit

from mgvae.arrays import FloatArray
from mgvae.reproducibility import numpy_generator

FACTORS = (
    *("neurodevelopment", "neurology", "sleep", "prematurity", "gastrointestinal", "infection", "ear", "atopy", "respiratory"),
    *("congenital", "cardiac", "metabolic", "blood", "musculoskeletal", "renal", "eye", "injury"),
)
CONTACT = "contact"  # log of how much a child is seen, beside the factors
DIAGNOSES: tuple[tuple[str, str, int, str], ...] = (  # ICD-10 chapter, its subject, codes, factor
    ("a", "infectious diseases", 110, "infection"),
    ("d", "blood and neoplasms", 60, "blood"),
    ("e", "endocrine, nutritional and metabolic diseases", 80, "metabolic"),
    ("f", "behaviour, without the work-up of autism", 50, "neurodevelopment"),
    ("g", "nervous system", 70, "neurology"),
    ("h", "eye and ear", 90, "ear"),
    ("i", "circulatory system", 45, "cardiac"),
    ("j", "respiratory system", 95, "respiratory"),
    ("k", "digestive system", 90, "gastrointestinal"),
    ("l", "skin", 80, "atopy"),
    ("m", "musculoskeletal system", 75, "musculoskeletal"),
    ("n", "genitourinary system", 60, "renal"),
    ("p", "perinatal conditions", 80, "prematurity"),
    ("q", "congenital malformations", 110, "congenital"),
    ("r", "symptoms", 90, "neurodevelopment"),
    ("s", "injuries", 110, "injury"),
    ("z", "contacts with health services", 70, CONTACT),
)
DRUGS: tuple[tuple[str, str, int, str], ...] = (  # ATC group
    ("a", "alimentary tract", 55, "gastrointestinal"),
    ("b", "blood", 15, "blood"),
    ("c", "cardiovascular system", 25, "cardiac"),
    ("d", "skin", 60, "atopy"),
    ("h", "hormones", 30, "metabolic"),
    ("j", "anti-infectives", 75, "infection"),
    ("l", "immune system", 15, "blood"),
    ("m", "musculoskeletal system", 15, "musculoskeletal"),
    ("n", "nervous system", 50, "neurology"),
    ("r", "respiratory system", 60, "respiratory"),
    ("s", "eye and ear", 25, "eye"),
    ("v", "various", 10, CONTACT),
)
PROCEDURES: tuple[tuple[str, str, int, str], ...] = (
    ("imaging", "imaging", 30, "neurology"),
    ("laboratory", "laboratory", 50, "metabolic"),
    ("surgery", "surgery", 40, "congenital"),
    ("cardiology", "cardiology", 8, "cardiac"),
    ("neurophysiology", "neurophysiology", 6, "neurology"),
    ("respiratory", "respiratory care", 8, "respiratory"),
    ("therapy", "physical and feeding therapy", 6, "musculoskeletal"),
    ("immunisation", "immunisation", 14, CONTACT),
)


@dataclass(frozen=True)
class Condition:
    """A condition with a known effect on the risk, seen through codes alone.

    Attributes:
        code: the diagnosis that stands for it.
        label: its name.
        share: of children who have it.
        factor, loading: the latent factor that raises it, log odds for one standard deviation.
        groups: groups of codes from which those are drawn that it entails, as ``dx_g``.
    """

    code: str
    label: str
    share: float
    factor: str
    loading: float
    groups: tuple[str, ...]


CONDITIONS: dict[str, Condition] = {
    "jaundice": Condition("dx_p59", "Neonatal jaundice", 0.15, "prematurity", 0.8, ("dx_p", "pr_laboratory")),
    "epilepsy": Condition("dx_g40", "Epilepsy", 0.006, "neurology", 1.2, ("dx_g", "rx_n", "pr_neurophysiology", "pr_imaging")),
    "constipation": Condition("dx_k59", "Constipation", 0.08, "gastrointestinal", 0.8, ("dx_k", "dx_r", "rx_a")),
    "diarrhoea": Condition("dx_k52", "Diarrhoea, not infectious", 0.03, "gastrointestinal", 0.8, ("dx_k", "dx_e", "rx_a")),
    "food_allergy": Condition("dx_z91", "Food allergy", 0.043, "atopy", 1.0, ("dx_l", "rx_r", "pr_laboratory")),
    "skin_allergy": Condition("dx_l20", "Atopic dermatitis", 0.099, "atopy", 1.0, ("dx_l", "rx_d")),
    "respiratory_allergy": Condition("dx_j45", "Asthma or allergic rhinitis", 0.12, "atopy", 0.8, ("dx_j", "rx_r")),
    "heart_defect": Condition("dx_q21", "Congenital heart defect", 0.01, "congenital", 1.0, ("dx_i", "dx_q", "pr_cardiology")),
    "sleep_disorder": Condition("dx_g47", "Sleep disorder", 0.03, "sleep", 1.2, ("dx_g", "dx_r", "rx_n", "dx_f")),
    "ear_disease": Condition("dx_h66", "Recurrent otitis media", 0.10, "ear", 1.0, ("dx_h", "rx_j", "pr_surgery")),
    "down_syndrome": Condition("dx_q90", "Down syndrome", 0.0012, "congenital", 0.0, ("dx_q", "dx_i", "dx_e", "pr_cardiology")),
}
SENSITIVITY, FALSE_ALARM = 0.8, 0.0005  # of the code that stands for a condition, in a child with average contact
ENTAILED, BOOST = 3, 1.8  # codes of each group that a condition raises, and by how much log odds
MEDIAN_SHARE, SPREAD, SHARES = 0.0035, 1.4, (0.0003, 0.35)  # of the other codes
OWN, OTHERS, PER_CONTACT = (0.8, 0.3), 0.25, 0.6  # loadings: mean and SD on the own factor; SD on two others; on contact


@dataclass(frozen=True)
class CodeBook:
    """All codes, in the order of the columns.

    Attributes:
        names, labels: of the P columns.
        base: log odds in an average child, ``(P,)``.
        weights: log odds for one unit of each factor, of contact and of each condition, ``(F + 1 + C, P)``.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    base: FloatArray
    weights: FloatArray


@cache
def code_book() -> CodeBook:
    """Return the code book; always the same."""
    rng = numpy_generator(0, "autism", "code book")
    names, labels, own = _columns()
    sources = (*FACTORS, CONTACT, *CONDITIONS)
    weights = np.zeros((len(sources), len(names)))
    share = np.exp(rng.normal(np.log(MEDIAN_SHARE), SPREAD, len(names))).clip(*SHARES)
    for place, factor in enumerate(own):
        others = rng.choice(len(FACTORS), 2, replace=False)
        weights[others, place] = rng.normal(0.0, OTHERS, 2)
        weights[sources.index(CONTACT), place] = PER_CONTACT
        if factor != CONTACT:
            weights[sources.index(factor), place] = abs(rng.normal(*OWN))
    variance = (weights[: len(FACTORS) + 1] ** 2).sum(axis=0)
    base = logit(share) * np.sqrt(1 + variance / 2.89)  # so that the mean over normal factors is about the share
    for row, condition in enumerate(CONDITIONS.values(), start=len(FACTORS) + 1):
        for group in condition.groups:
            candidates = [place for place, name in enumerate(names) if name.startswith(f"{group}_")]
            weights[row, rng.choice(candidates, ENTAILED, replace=False)] += BOOST
        place = names.index(condition.code)
        weights[:, place] = 0.0
        weights[sources.index(CONTACT), place] = PER_CONTACT
        base[place] = logit(FALSE_ALARM)
    for row, condition in enumerate(CONDITIONS.values(), start=len(FACTORS) + 1):
        weights[row, names.index(condition.code)] = logit(SENSITIVITY) - logit(FALSE_ALARM)
    return CodeBook(names, labels, base, weights)


def _columns() -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return names, labels and factors; the codes of conditions come first in their chapter."""
    names, labels, own = [], [], []
    for prefix, what, chapters in (("dx", "Diagnosis", DIAGNOSES), ("rx", "Drug", DRUGS), ("pr", "Procedure", PROCEDURES)):
        for chapter, subject, size, factor in chapters:
            known = [one for one in CONDITIONS.values() if prefix == "dx" and one.code[3] == chapter]
            names += [one.code for one in known] + [f"{prefix}_{chapter}_{place:03d}" for place in range(len(known), size)]
            labels += [one.label for one in known] + [f"{what}, {subject}, {place}" for place in range(len(known), size)]
            own += [factor] * size
    return tuple(names), tuple(labels), tuple(own)
