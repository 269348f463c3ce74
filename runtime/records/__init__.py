"""Files that a run writes as it goes: metrics, evaluations, checkpoints."""
