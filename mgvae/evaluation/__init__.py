"""Evaluation of the arms: cross-validation, measures, recommendation, promotion."""
