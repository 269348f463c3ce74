"""Experiments: many runs, planned, run on an engine, resumed, and searched through."""
