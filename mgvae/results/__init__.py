"""Typed results: what stages write, later stages read, and report.json holds."""
