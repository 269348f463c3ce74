"""Rules of PPO against the reward model."""
