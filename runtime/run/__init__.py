"""A training run: its folder, its checkpoints, its progress, and how it ends."""
