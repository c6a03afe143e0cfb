"""The downstream classifiers: design matrix, models, recalibration, and their portable form."""
