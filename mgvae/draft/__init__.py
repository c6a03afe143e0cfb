"""Draft cohort.yaml and the data dictionary from an extract; mark for review what cannot be inferred."""
