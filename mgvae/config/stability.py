"""The sections of cohort.yaml on instability and sample size, with their defaults."""

from __future__ import annotations

from pydantic import Field, field_validator

from mgvae.config.sections import Arm
from mgvae.config.strict import Strict


class Instability(Strict):
    """How often models are redeveloped on bootstrap samples, to see how far they disagree.

    Attributes:
        redevelopments: bootstrap samples for arms without a generator.
        generated: bootstrap samples for arms with a generator, which is trained on each; 0 leaves these arms out.
        arms: arms to redevelop, of those of the evaluation; null: none, the recommended arm and mgvae.
    """

    redevelopments: int = Field(default=100, ge=10)
    generated: int = Field(default=20, ge=0)
    arms: tuple[Arm, ...] | None = None

    @field_validator("arms")
    @classmethod
    def _with_none(cls, value: tuple[Arm, ...] | None) -> tuple[Arm, ...] | None:
        if value is not None and ("none" not in value or len(set(value)) < len(value)):
            raise ValueError("must be null or name 'none' and other arms, each once: a reader compares them with 'none'")
        return value


class LearningCurve(Strict):
    """How performance is measured with fewer training events.

    Attributes:
        shares: shares of the fitting rows, rising; 1, all of them, is always measured.
        repeats: cross-validations for each share, each with other folds and other fitting rows. An arm with a generator has
            one.
    """

    shares: tuple[float, ...] = (1 / 3, 2 / 3)
    repeats: int = Field(default=2, ge=1)

    @field_validator("shares")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not all(low < high for low, high in zip((0.0, *value), (*value, 1.0), strict=True)):
            raise ValueError("must be shares that rise, above 0 and below 1")
        return value
