"""Verbs about runs: trained, evaluated, tried, diagnosed and taken elsewhere."""
