"""Eligible subjects, their outcome, their split, and the files that hold them."""
