"""Extracts that land for the next run."""
