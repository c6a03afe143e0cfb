"""The downstream classifiers: designs, models, recalibration, portable form."""
