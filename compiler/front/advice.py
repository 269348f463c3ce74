"""Advice that specs of several kinds share."""

LECTURE = "Dinu, Policy gradients and PPO, RL Bootcamp 2024"
MANY_EPOCHS = 10
