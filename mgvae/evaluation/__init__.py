"""Does it help the classifier that would be deployed? Arms, classifiers, cross-validation, measures with intervals, a rule."""
