"""The ppoc command: one short file per verb; prints and exit codes, no logic."""
