"""Event tables (OMOP, MEDS) to one row per patient: index date, time at risk, attrition, predictors of the past."""
