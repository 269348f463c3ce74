"""The kind of spec of an experiment: many runs, and the question they answer."""
