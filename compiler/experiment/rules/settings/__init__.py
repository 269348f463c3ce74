"""Rules of what is compared."""
