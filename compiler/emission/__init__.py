"""Text of generated modules: literals, lines, constants, for every kind of spec."""
