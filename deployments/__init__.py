"""Deployment of the flows: registration with a server, and a local installation."""
