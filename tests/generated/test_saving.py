"""Saving and resuming change nothing that is learnt, in every way that environments are run."""

import csv

import pytest

import toys  # noqa: F401 - registers the environments
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import execute
from zoo import zoo_module

STEPS = 1024  # eight iterations
SHORT = (
    f"training={{total_steps: {STEPS}, checkpoint_every: 256, compile: never}}",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "evaluation={episodes: 1}",
)
NORMALIZED = "env.normalize={observations: true, rewards: true}"
MEMORY = (
    "networks.actor={memory: {kind: lstm, size: 8}, layers: [8]}",
    "networks.critic={memory: {kind: gru, size: 8}, layers: [8]}",
)
GYMNASIUM = "env.backend=gymnasium"
SPECS = {
    "gymnasium": ("ppo/cartpole", *SHORT, NORMALIZED, GYMNASIUM),
    "mujoco": ("ppo/hopper", *SHORT, GYMNASIUM),
    "shared": ("ppo/cartpole", *SHORT, "env.num_envs=1", "evaluation={every: 384}", GYMNASIUM),
    "torch": ("ppo/cartpole", *SHORT, NORMALIZED, "env.backend=torch"),
    "envpool": ("ppo/hopper", *SHORT, "env.backend=envpool"),
    "device": (
        "ppo/pendulum",
        *SHORT,
        "training.device=cuda",
        "env={normalize: {observations: true, rewards: true}, max_episode_steps: 20}",
    ),
    "memory": ("ppo/cartpole", *SHORT, *MEMORY, GYMNASIUM),
    "buffer": ("ppo/hopper", *SHORT, "update={buffer: {rollouts: 3, clip: 2.0}}", GYMNASIUM),
    "episodes": ("reinforce/cartpole", *SHORT, "update.sampling=episodes", GYMNASIUM),
    "adaptive": ("ppo-kl-adaptive/cartpole", *SHORT, GYMNASIUM),
    "masks": ("ppo/cartpole", *SHORT, "env={id: MaskedDiscrete-v0, action_masks: true}", GYMNASIUM),
    "lives": (
        "ppo/pong",
        *SHORT,
        "env={id: BreakoutNoFrameskip-v4, num_envs: 2, backend: gymnasium}",
        "update={rollout_steps: 64, epochs: 1}",
        "evaluation={episodes: 0}",
    ),
    "search": (
        "cem/cartpole",
        "env={id: Hopper-v5, num_envs: 16, normalize: {observations: true}}",
        f"training={{total_steps: {STEPS}, checkpoint_every: 256}}",
        "update.rollout_steps=128",
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A spec's module, and what its uninterrupted run saves last and logs."""
    made = {}

    def get(name):
        if name not in made:
            module = zoo_module(*SPECS[name])
            folder = tmp_path_factory.mktemp(name)
            if hasattr(module, "RESTART_EVERY"):
                module.RESTART_EVERY = 3
            execute(module, folder, device="cpu", mode="quiet")
            made[name] = module, ending(folder)
        return made[name]

    return get


def ending(folder):
    """The tensors of the last checkpoint, and the metrics without the clock's."""
    tensors, _ = checkpoints.load(checkpoints.latest(folder / "checkpoints"))
    with (folder / "metrics.csv").open(newline="") as file:
        rows = [
            {key: value for key, value in row.items() if key != "steps_per_second"}
            for row in csv.DictReader(file)
        ]
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}, rows


@pytest.mark.parametrize("name", SPECS)
def test_how_often_a_run_saves_changes_nothing(whole, tmp_path, monkeypatch, name):
    module, expected = whole(name)
    for every in (1, 3, 10**6):
        folder = tmp_path / str(every)
        folder.mkdir()
        monkeypatch.setattr(module, "CHECKPOINT_EVERY", every)
        execute(module, folder, device="cpu", mode="quiet")
        assert ending(folder) == expected, f"saved every {every} iterations"


@pytest.mark.parametrize("name", SPECS)
def test_a_run_killed_again_and_again_resumes_exactly(whole, tmp_path, monkeypatch, capsys, name):
    """Rows written after the last checkpoint are thrown away, and made again the same."""
    module, expected = whole(name)
    monkeypatch.setattr(module, "CHECKPOINT_EVERY", 1)
    count = "refit" if name == "search" else "make_batch"
    original = getattr(module, count)
    folder = tmp_path / "run"
    folder.mkdir()
    for iterations in (1, 3, 2):  # and the beginning of one more, which is lost
        monkeypatch.setattr(module, count, killing(original, iterations))
        with pytest.raises(KeyboardInterrupt):
            execute(module, folder, device="cpu", mode="quiet", resume=True)
    monkeypatch.setattr(module, count, original)
    execute(module, folder, device="cpu", mode="plain", resume=True)
    assert ending(folder) == expected
    assert "new episodes begin" not in capsys.readouterr().err


def killing(function, calls):
    """The function, which kills the run when it is called once more than so often."""
    left = calls

    def call(*arguments):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return function(*arguments)

    return call
