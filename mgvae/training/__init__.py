"""Training loops, the choice of lambda and epochs, exemplar weights, checkpoints."""
