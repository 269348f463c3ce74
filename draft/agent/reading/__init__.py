"""Readers of single matters of a request: sizes of networks, quantities, relations, choices."""
