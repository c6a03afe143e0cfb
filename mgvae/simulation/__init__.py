"""Simulated cohorts in which the true risk of every patient is known."""
