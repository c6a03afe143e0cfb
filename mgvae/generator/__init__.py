"""From fitted rows to synthetic cases: synthesis, translation, plausibility, release."""
