"""Specs of `kind: rlhf`: their language, their checks, and what their data and models tell."""
