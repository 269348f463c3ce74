"""Searches: trials of settings that Optuna proposes, and the best of them run again."""
