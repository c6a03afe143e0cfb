"""Make synthetic cases: synthesis, translation, plausibility, release."""
