"""Evaluate whether synthetic cases help: arms, cross-validation, metrics with intervals, the recommendation."""
