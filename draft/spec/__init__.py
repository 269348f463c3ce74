"""Drafted specs of any kind: their values, each with its origin, and their text."""
