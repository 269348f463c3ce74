"""The language of experiments."""
