"""Rules of how much may be run."""
