"""Returns of episodes, evaluations, and videos."""
