"""Environments: vector environments behind one protocol, and what guards their answers."""
