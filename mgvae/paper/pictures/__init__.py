"""Figures of the paper's experiments and the numbers beneath them."""
