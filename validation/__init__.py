"""What must be true of data: the suite built from the dictionary, fidelity, privacy and the gates on synthetic cases."""
