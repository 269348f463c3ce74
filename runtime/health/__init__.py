"""Symptoms of a run, and what is kept of an update that diverged."""
