"""Verbs about specs: written, checked, compiled, said and compared."""
