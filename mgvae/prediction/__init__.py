"""Predictions for new patients with the model of a run."""
