"""Figures of the page: each function returns one inline SVG."""
