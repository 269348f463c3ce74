"""Mathematics of generated modules: statistics, parameters, compiled updates."""
