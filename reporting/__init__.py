"""Runs read back: statistics over seeds, comparison, and a verdict in words."""
