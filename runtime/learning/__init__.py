"""What a generated module computes with: statistics, parameters, compiled updates."""
