"""What the differential privacy of a generator covers and what it spent."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mgvae.config.strict import Strict
from mgvae.results.numbers import Count, Number, Share

PRIVACY = "privacy.json"  # of a fine-tuned generator
Use = Literal["decoder biases", "exemplar weights"]
COVERED = (
    "The fine-tuned generator and all synthetic cases that it makes.",
    "Neighbours are two training parts of which one has a protected unit's cases blank; to exchange a unit for another one "
    "counts twice.",
)
NOT_COVERED = (
    "Majority patients are not protected at all, neither those who are parents of synthetic cases nor the others.",
    "This report: evaluation, gates, real distributions, explanations and counts are computed from the cases without noise.",
    "The recommended model, which is fitted on the real cases, and the choice of it.",
    "The numbers of cases and of protected units, the hold-out, the data dictionary with its rules, and who has the event.",
    "Further trainings: each run whose generator or cases are released, on a later night or after a change of settings, spends "
    "its budget anew, and the budgets of a patient who is in several add up.",
)
SWITCHED_OFF = (
    "Plausibility: the judges are classifiers fitted on the cases; every translation is kept.",
    "Choice of λ and early stopping by held-out cases: λ and the number of steps are fixed, and no ELBO of cases is written.",
    "Exact copies of a case are not drawn again: to look for them would read the cases.",
    "Encoding: ranges, quantiles, resolution and missing indicators come from the majority alone.",
)


class PrivateMechanism(Strict):
    """A use of the cases.

    Attributes:
        name: what it teaches.
        noise: standard deviation as a multiple of what a unit can change.
        rate: probability with which a unit takes part in a step.
        steps: how often it is used.
        noise_to_signal: length of the noise against the largest possible sum, over all steps; above 1 nothing can be learned.
    """

    name: Use
    noise: Number
    rate: Share
    steps: Count
    noise_to_signal: Number


class PrivacyRecord(Strict):
    """The privacy of the cases in a trained generator.

    Attributes:
        epsilon, delta: the budget.
        spent: the epsilon that was spent at ``delta``.
        unit: who is protected.
        units: how many there are.
        accountant: gaussian (exact) or renyi (an upper bound).
        secret_noise: whether the noise came from the operating system; False: it follows from a seed and protects nobody who
            knows it.
        mechanisms: each use of the cases.
        covered, not_covered, switched_off: sentences.
        remarks: what is to be expected.
    """

    epsilon: Number
    delta: Share
    spent: Number
    unit: Literal["patient", "group"]
    units: Count
    accountant: Literal["gaussian", "renyi"]
    secret_noise: bool
    mechanisms: tuple[PrivateMechanism, ...]
    covered: tuple[str, ...] = COVERED
    not_covered: tuple[str, ...] = NOT_COVERED
    switched_off: tuple[str, ...] = SWITCHED_OFF
    remarks: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The guarantee, and whom it does not protect."""
        whom = {"patient": "a case", "group": "all cases of a group"}[self.unit]
        bound = {"gaussian": "exactly", "renyi": "as an upper bound"}[self.accountant]
        return (
            f"The generator and its synthetic cases are differentially private for {whom}: epsilon {self.spent:.3g} was spent "
            f"of {self.epsilon:g}, {bound}, at delta {self.delta:g}, with {self.units:,} units protected. Majority patients "
            "are not protected, and neither this report nor the recommended model is private."
        )


def privacy_record(finetuned: Path) -> PrivacyRecord | None:
    """Return the record in the artifact of a fine-tuned generator; None where it is not private."""
    place = finetuned / PRIVACY
    return PrivacyRecord.model_validate_json(place.read_text(encoding="utf-8")) if place.is_file() else None
