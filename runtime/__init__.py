"""What a generated module calls: environments, normalisers, checkpoints, metrics, evaluation."""
