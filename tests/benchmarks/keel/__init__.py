"""Compare oversamplers on the imbalanced sets of the field: `python -m tests.benchmarks.keel`."""
