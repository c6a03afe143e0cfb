"""What the models use: contributions of the predictors to the predicted log odds."""
