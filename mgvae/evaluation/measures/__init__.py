"""Measures of a risk prediction, one module a kind, each for many sets of row weights at once."""
