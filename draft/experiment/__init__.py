"""Experiments in English: comparisons, seeds, sweeps and tasks."""
