"""Places where runs are made: this machine, Ray clusters, SLURM; and attempts at a run."""
