"""Rules of where runs are made."""
