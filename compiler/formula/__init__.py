"""The language of formulas: syntax, types, notation, and the objectives with names."""
