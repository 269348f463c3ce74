"""Rules of the language model and the machine that it needs."""
