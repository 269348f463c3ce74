"""Other tools' names of what a spec says."""
