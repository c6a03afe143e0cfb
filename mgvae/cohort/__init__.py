"""Eligible subjects, their outcome, the split into parts, and the files that hold them."""
