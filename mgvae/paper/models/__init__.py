"""Networks that only the paper's experiments use."""
