"""Rules of experiments, and advice on them."""
