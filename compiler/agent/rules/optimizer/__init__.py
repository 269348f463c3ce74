"""Rules of how parameters move."""
