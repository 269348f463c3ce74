"""Advice that specs of several kinds share."""

LECTURE = "Dinu, Policy gradients and PPO, RL Bootcamp 2024"
MANY_EPOCHS = 10
MORE_STEPS = 1.02  # times the total, above which taking more is worth a warning
