"""Oversamplers compared on real cohorts: the same folds for every arm, tested on real rows at natural prevalence."""
