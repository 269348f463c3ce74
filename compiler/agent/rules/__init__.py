"""Rules of an agent, by what they are about; a folder here is found by `rules_in`."""
