"""Phrases of requests for experiments: of the whole, of alternatives, of ranges and tasks."""
