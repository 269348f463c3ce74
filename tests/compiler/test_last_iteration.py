"""How many steps a run takes of those that it is asked for."""

import pytest

from ppoc.compiler.agent.last_iteration import iterations_in_words, nearest_totals, steps_taken
from ppoc.compiler.resolve import resolve_text

HEAD = "ppoc: 1\nalgorithm: {}\nname: a\nenv: {{id: CartPole-v1, num_envs: 8}}\n"
PPO = "update: {rollout_steps: 2048, minibatch_size: 64}\n"


def spec_of(total, lines=PPO, algorithm="ppo"):
    text = f"{HEAD.format(algorithm)}{lines}training: {{total_steps: {total}}}\n"
    return resolve_text(text, "spec.yaml").spec


@pytest.mark.parametrize(
    ("total", "taken", "words"),
    [
        (4096, 4096, "2 iterations of 2,048"),
        (5000, 5056, "2 iterations of 2,048 and one of 960"),
        (1_000_000, 1_000_000, "488 iterations of 2,048 and one of 576"),
        (2049, 2112, "1 iteration of 2,048 and one of 64"),
        (1, 64, "one of 64"),
    ],
)
def test_the_last_iteration_is_as_short_as_minibatches_allow(total, taken, words):
    spec = spec_of(total)
    assert (steps_taken(spec), iterations_in_words(spec)) == (taken, words)
    assert all(steps_taken(spec_of(near)) == near for near in nearest_totals(spec))


WHOLE = {
    "one minibatch": (PPO.replace("64", "all"), "ppo"),
    "one minibatch by its size": (PPO.replace("64", "2048"), "ppo"),
    "trust region": (PPO, "trpo"),
    "buffer": (PPO.replace("}", ", buffer: {rollouts: 2}}"), "ppo"),
    "episodes": (PPO.replace("}", ", sampling: episodes}"), "ppo"),
    "search": (
        "update: {rollout_steps: 2048}\noptimizer: {cross_entropy: {elite_fraction: 0.5}}\n",
        "cem",
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_an_iteration_that_cannot_be_shorter_is_whole(name):
    spec = spec_of(5000, *WHOLE[name])
    assert (steps_taken(spec), nearest_totals(spec)) == (6144, [4096, 6144])


def test_sequences_of_a_memory_are_whole_too():
    memory = "networks: {actor: {memory: {size: 8}}}\n"
    longer = PPO.replace("}", ", sequence_length: 32}")
    assert steps_taken(spec_of(5000, PPO.replace("64", "128") + memory)) % (8 * 128) == 0
    assert steps_taken(spec_of(5000, longer + memory)) == 4096 + 4 * 256
