"""A look at the environment of a spec: made and stepped in a process of its own."""
