"""Rules of the environment, and of evaluation in it."""
