"""Simulated nights: what drift and the champion's rule say of each fault."""
