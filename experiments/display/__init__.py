"""The state of an experiment, read from its folders and shown while it runs."""
