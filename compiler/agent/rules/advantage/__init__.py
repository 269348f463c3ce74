"""Rules of the weight of the score function."""
