"""Seeds of environments, derived from the seed of the run."""

import numpy as np


def derive_seed(seed: int, iteration: int) -> int:
    """A seed below 2³¹ for the environments of an iteration, unrelated between iterations."""
    return int(np.random.SeedSequence((seed, iteration, 0xE57)).generate_state(1)[0]) >> 1


def episode_seed(seed: int, index: int, episode: int) -> int:
    """A seed below 2³¹ of one episode of one environment, unrelated to those of all others."""
    return int(np.random.SeedSequence((seed, index, episode)).generate_state(1)[0]) >> 1
