"""MGVAEOverSampler, the method as an imbalanced-learn sampler."""
