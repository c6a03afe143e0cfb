"""Encoding, likelihood, prior, network, objective and EWC of the MGVAE."""
