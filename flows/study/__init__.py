"""The flow of a study and what surrounds its stages."""
