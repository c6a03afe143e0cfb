"""Cohorts with their events cut to a few."""
