"""The study's configuration: cohort.yaml, the data dictionary, and their defaults."""
