"""The zoo, one YAML a system and task, and the presets that specs name."""
