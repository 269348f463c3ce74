"""A checkpoint whose tensors are not those of its module is refused by the tensor's name."""

import json
import shutil

import pytest
import torch

from ppoc.runtime.errors import RunError
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.records.checkpoint import CheckpointError
from ppoc.runtime.run.launch import execute
from ppoc.runtime.run.trained import evaluate_run

SHORT = (
    "training.total_steps=512",
    "training.checkpoint_every=256",
    "update={rollout_steps: 128, minibatch_size: 64, epochs: 2}",
    "evaluation.episodes=1",
)
HOPPER = ("ppo/hopper", *SHORT, "env.backend=gymnasium", "networks.actor.layers=[4]")
SEARCH = (
    "cem/cartpole",
    "training={total_steps: 512, checkpoint_every: 256}",
    "update.rollout_steps=128",
    "env.num_envs=16",
    "evaluation.episodes=1",
)
DEVICE = (
    "ppo/pendulum",
    *SHORT,
    "env={normalize: {observations: true, rewards: true}, max_episode_steps: 20}",
    "training={device: cuda, compile: never}",
)
BUFFER = ("ppo/pendulum", *SHORT, "update={buffer: {rollouts: 3, clip: 2.0}}")
ADAPTIVE = ("ppo-kl-adaptive/cartpole", *SHORT)
KINDS = {
    "hopper": HOPPER,
    "search": SEARCH,
    "device": DEVICE,
    "buffer": BUFFER,
    "adaptive": ADAPTIVE,
}


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """Module and run folder, of which the last checkpoint is gone, for each kind."""
    from zoo import zoo_module

    made = {}

    def of(kind):
        if kind not in made:
            folder = tmp_path_factory.mktemp(kind)
            module = zoo_module(*KINDS[kind])
            execute(module, folder, device="cpu", mode="quiet")
            shutil.rmtree(checkpoints.latest(folder / "checkpoints"))
            (folder / "result.json").unlink()
            made[kind] = module, folder
        return made[kind]

    return of


def changed(folder, target, change, metadata=None):
    """A copy of a run folder with other tensors in its checkpoint."""
    shutil.copytree(folder, target)
    path = checkpoints.latest(target / "checkpoints")
    tensors, before = checkpoints.load(path)
    change(tensors)
    step = int(path.name.removeprefix("step-"))
    checkpoints.save(target / "checkpoints", step, tensors, {**before, **(metadata or {})})
    return target


def put(name, value):
    return lambda tensors: tensors.update({name: value})


def drop(name):
    return lambda tensors: tensors.pop(name)


def poison(name, value=float("nan")):
    def change(tensors):
        tensors[name] = tensors[name].clone()
        tensors[name].view(-1)[0] = value

    return change


BIAS = "parameters.actor.0.bias"
POLICY = {
    "missing": (drop(BIAS), r"parameters.actor.0.bias is missing; expected float32 \[4\]"),
    "additional": (put("parameters.evil", torch.zeros(1)), "parameters.evil, which its module"),
    "shape": (put(BIAS, torch.zeros(5)), r"0.bias is float32 \[5\]; expected float32 \[4\]"),
    "rank": (put(BIAS, torch.zeros(4, 1)), r"is float32 \[4, 1\]; expected float32 \[4\]"),
    "type": (put(BIAS, torch.zeros(4).double()), r"is float64 \[4\]; expected float32 \[4\]"),
    "nan": (poison(BIAS), "0.bias has 1 values that are NaN or infinite"),
    "infinite": (poison(BIAS, float("inf")), "0.bias has 1 values that are NaN or infinite"),
    "mean": (put("observations.mean", torch.zeros(3).double()), "observations.mean is float64"),
    "variance": (poison("observations.var", -1.0), "observations.var has values below 0"),
    "group": (
        lambda tensors: [tensors.pop(x) for x in list(tensors) if x.startswith("observations.")],
        "lacks the group 'observations'",
    ),
}
TRAINING = {
    **POLICY,
    "moment": (drop("optimizer.m"), "optimizer.m is missing"),
    "moments": (put("optimizer.v", torch.zeros(3)), r"optimizer.v is float32 \[3\]"),
    "negative": (poison("optimizer.v", -1.0), "optimizer.v has values below 0"),
    "step": (put("optimizer.step", torch.tensor(1)), r"step is int64 \[\]; expected float64 \[\]"),
    "envs": (put("episodes.partial_lengths", torch.zeros(1).long()), r"int64 \[1\]; expected"),
    "lengths": (put("episodes.lengths", torch.zeros(99).long()), "lengths than returns"),
    "rewards": (put("rewards.returns", torch.zeros(7).double()), "rewards.returns is float64"),
}


@pytest.mark.parametrize("kind", TRAINING)
def test_a_run_does_not_go_on_from_tensors_of_another_layout(halves, tmp_path, kind):
    module, folder = halves("hopper")
    change, said = TRAINING[kind]
    target = changed(folder, tmp_path / "run", change)
    before = (target / "metrics.csv").read_text()
    with pytest.raises(RunError, match=said):
        execute(module, target, device="cpu", mode="quiet", resume=True)
    assert (target / "metrics.csv").read_text() == before


@pytest.mark.parametrize("kind", POLICY)
def test_a_policy_does_not_act_with_tensors_of_another_layout(halves, tmp_path, kind):
    module, folder = halves("hopper")
    change, said = POLICY[kind]
    target = changed(folder, tmp_path / "run", change)
    with pytest.raises(CheckpointError, match=said):
        evaluate_run(module, target, episodes=1)


OTHERS = {
    "search": {
        "std": (drop("std.actor.0.bias"), "std.actor.0.bias is missing"),
        "negative": (poison("std.actor.0.bias", -1.0), "values below 0"),
    },
    "device": {
        "mean": (drop("observations.mean"), "observations.mean is missing"),
        "returns": (put("rewards.returns", torch.zeros(9).double()), "rewards.returns is float64"),
    },
    "buffer": {
        "field": (drop("buffer.log_probs"), "its buffer must have"),
        "rollouts": (put("buffer.rewards", torch.zeros(9, 32, 4)), "buffer.rewards is|buffer."),
        "envs": (put("buffer.rewards", torch.zeros(1, 32, 5)), "expected up to 3 rollouts"),
    },
    "adaptive": {"nan": (poison("adaptive.kl_weight"), "adaptive.kl_weight has 1 values")},
}


@pytest.mark.parametrize(("kind", "what"), [(k, w) for k, rows in OTHERS.items() for w in rows])
def test_every_kind_of_module_knows_its_tensors(halves, tmp_path, kind, what):
    module, folder = halves(kind)
    change, said = OTHERS[kind][what]
    target = changed(folder, tmp_path / "run", change)
    with pytest.raises(RunError, match=said):
        execute(module, target, device="cpu", mode="quiet", resume=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_run_saved_itself_is_taken(halves, tmp_path, kind):
    module, folder = halves(kind)
    target = changed(folder, tmp_path / "run", lambda tensors: None)
    assert execute(module, target, device="cpu", mode="quiet", resume=True).steps == 512


@pytest.mark.parametrize(
    "steps", [-256, 0, 100, 1024, 2**40, 256.0, "256", None, True, float("nan"), [256]]
)
def test_a_run_goes_on_from_a_whole_iteration_only(halves, tmp_path, steps):
    module, folder = halves("hopper")
    target = changed(folder, tmp_path / "run", lambda tensors: None, {"steps": steps})
    with pytest.raises(RunError, match=r"says in its metadata"):
        execute(module, target, device="cpu", mode="quiet", resume=True)


@pytest.mark.parametrize("steps", [0, 100, 1024, 2**40])
def test_steps_that_the_folder_tells_too_are_checked(halves, tmp_path, steps):
    module, folder = halves("hopper")
    shutil.copytree(folder, tmp_path / "run")
    path = checkpoints.latest(tmp_path / "run" / "checkpoints")
    document = json.loads((path / checkpoints.DOCUMENT).read_text())
    document["step"] = document["metadata"]["steps"] = steps
    (path / checkpoints.DOCUMENT).write_text(json.dumps(document))
    path.rename(path.with_name(f"step-{steps:012d}"))
    with pytest.raises(RunError, match=r"saves at multiples of 128 up to 512"):
        execute(module, tmp_path / "run", device="cpu", mode="quiet", resume=True)
