"""Simulated studies with a known truth, through the product's own evaluation and rule."""
