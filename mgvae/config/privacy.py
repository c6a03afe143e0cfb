"""The section of cohort.yaml on differential privacy for the rare cases."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mgvae.config.strict import Strict


class Privacy(Strict):
    """Differential privacy of the generator for the rare cases; off unless the section is there.

    A person who sees the generator or its synthetic cases can then hardly say whether a case's row was in training. It
    protects no majority patient, and nothing else that is computed from the cases: not the evaluation, the gates, the
    explanations or the recommended model. See docs/study/privacy.md.

    Attributes:
        epsilon: the budget: the larger, the less noise and the less protection.
        delta: the probability beside it, well below 1 / number of cases.
        unit: who is protected: group (all cases that share a group; a patient where the study has no ``group``) or patient
            (each row by itself, where groups are sites, say).
        noise_seed: makes the noise repeatable, for tests: who knows the seed can take the noise away. null: the noise comes
            from the operating system, and a second training gives another generator.
    """

    epsilon: float = Field(gt=0, le=1000, allow_inf_nan=False)
    delta: float = Field(default=1e-5, gt=0, lt=1)
    unit: Literal["group", "patient"] = "group"
    noise_seed: int | None = Field(default=None, ge=0, lt=2**32)
