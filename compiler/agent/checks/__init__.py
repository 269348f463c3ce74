"""Checks of what an agent's spec means, and advice on it."""
