"""Rules of searches."""
