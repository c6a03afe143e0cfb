"""Repeat the experiments of Ai et al. 2023 (arXiv:2302.10910)."""
