"""Seeds of environments, derived from the seed of the run."""

import numpy as np


def derive_seed(seed: int, iteration: int) -> int:
    """A seed below 2³¹ for the environments of an iteration, unrelated between iterations."""
    return int(np.random.SeedSequence((seed, iteration, 0xE57)).generate_state(1)[0]) >> 1
