"""Other libraries' settings and models as ppoc's: RL Zoo files, Stable-Baselines3 models."""
