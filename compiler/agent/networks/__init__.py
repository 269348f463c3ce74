"""Networks and action distributions, as text of a module."""
