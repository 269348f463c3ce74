"""Rules of a language model that learns from feedback; `rules_in` finds them by their folders."""
