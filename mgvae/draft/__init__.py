"""Draft cohort.yaml and the data dictionary from an extract."""
