"""The mathematics of the MGVAE: encoding, likelihood, prior, network, objective, EWC."""
