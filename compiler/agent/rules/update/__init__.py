"""Rules of what is collected and how often it is learnt from."""
