"""Checks on data: the suite from the dictionary, fidelity, privacy, drift, gates."""
