"""Rules of how it is compared."""
