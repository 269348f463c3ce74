"""Seeds of environments, derived from the seed of the run."""

from functools import lru_cache

import numpy as np

BLOCK = 64  # episodes


def derive_seed(seed: int, iteration: int) -> int:
    """A seed below 2³¹ for the environments of an iteration, unrelated between iterations."""
    return int(np.random.SeedSequence((seed, iteration, 0xE57)).generate_state(1)[0]) >> 1


def episode_seed(seed: int, index: int, episode: int) -> int:
    """A seed below 2³¹ of one episode of one environment, unrelated to those of all others."""
    block, place = divmod(episode, BLOCK)
    return _episode_seeds(seed, index, block)[place]


@lru_cache(maxsize=4096)
def _episode_seeds(seed: int, index: int, block: int) -> list[int]:
    """The seeds of BLOCK episodes at once: each alone takes as long as a step of CartPole."""
    states = np.random.SeedSequence((seed, index, block)).generate_state(BLOCK) >> 1
    return [int(state) for state in states]
