"""Exported files take what an environment gives, say what that is, and act as the run does."""

import json

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import spaces

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve_text
from ppoc.exporting import formats, interface
from ppoc.runtime.envs.seeds import episode_seed
from ppoc.runtime.records import checkpoint as checkpoints
from ppoc.runtime.run.launch import load_module
from ppoc.runtime.run.trained import load_run_policy

VECTOR = spaces.Box(-2, 3, (4,))
IMAGE = spaces.Box(0, 255, (36, 40, 3), np.uint8)
GRAY = spaces.Box(0, 255, (40, 36), np.uint8)
CHOICES = spaces.MultiDiscrete([3, 2], start=[1, 0])
WIDE = spaces.Box(np.array([[-1, -2]], np.float32), np.array([[1, 3]], np.float32))
SHAPES = spaces.Dict(
    {
        "state": VECTOR,
        "goal": spaces.Tuple((spaces.Discrete(3, start=2), CHOICES)),
        "map": spaces.Box(-1, 1, (2, 3), np.float64),
        "bits": spaces.MultiBinary((2, 2)),
        "camera": spaces.Box(0, 3, (2, 2, 3), np.uint8),
    }
)
MEMORY = "networks: {actor: {memory: {size: 8}}, critic: {memory: {size: 8}}}"
CNN = "networks: {actor: {body: nature-cnn, layers: []}, critic: {share: body, layers: []}}"


class Walk(gymnasium.Env):
    """Observations that depend on the seed and the actions."""

    def __init__(self, observations, actions):
        self.observation_space, self.action_space = observations, actions

    def _seen(self):
        self.observation_space.seed(int(self.np_random.integers(10**6)) + self._moved)
        return self.observation_space.sample()

    def reset(self, **arguments):
        super().reset(**arguments)
        self._moved = 0
        return self._seen(), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self._moved += int(np.sum(np.abs(action) * 7))
        return self._seen(), 0.0, False, False, {}


class Barred(Walk):
    def action_masks(self):
        nvec = getattr(self.action_space, "nvec", [getattr(self.action_space, "n", 0)])
        return np.concatenate([(np.arange(n) + self._moved) % 2 == 0 for n in nvec])


# Observations, actions, more of the spec, shapes of inputs after N.
CASES = {
    "image, channels last": (
        IMAGE, spaces.Box(-900, 900, (1, 2)),
        CNN.replace("layers: []", "layers: [], action_scaling: none", 1),
        {"observations": (36, 40, 3)},
    ),
    "image, channels first": (
        spaces.Box(0, 255, (3, 36, 40), np.uint8), spaces.Discrete(5), CNN,
        {"observations": (3, 36, 40)},
    ),
    "grey frames": (GRAY, WIDE, f"{CNN}\nenv: {{frame_stack: 4}}", {"observations": (4, 40, 36)}),
    "image frames": (
        IMAGE, spaces.Discrete(4), f"{CNN}\nenv: {{frame_stack: 2}}",
        {"observations": (2, 36, 40, 3)},
    ),
    "image without convolutions": (IMAGE, spaces.MultiBinary(9), "", {"observations": (36, 40, 3)}),
    "dictionary": (
        SHAPES, spaces.Discrete(4, start=3), "env: {normalize: {observations: true}}",
        {"bits": (2, 2), "camera": (2, 2, 3), "goal.0": (), "goal.1": (2,), "map": (2, 3),
         "state": (4,)},
    ),
    "dictionary, frames, memory": (
        spaces.Dict({"state": VECTOR, "b": spaces.Discrete(3)}), WIDE,
        f"{MEMORY}\nenv: {{frame_stack: 3}}",
        {"b": (3,), "observations.state": (3, 4), "starts": (), "state": (32,)},
    ),
    "vector frames": (
        VECTOR, spaces.MultiBinary(3), "env: {frame_stack: 3}", {"observations": (3, 4)},
    ),
    "choice": (spaces.Discrete(6, start=-2), WIDE, "", {"observations": ()}),
    "matrix of doubles": (
        spaces.Box(-1, 1, (3, 2), np.float64), spaces.MultiDiscrete([3, 2], start=[1, 2]), "",
        {"observations": (3, 2)},
    ),
    "masks": (
        spaces.Dict({"x": VECTOR}), spaces.MultiDiscrete([4, 3]), "env: {action_masks: true}",
        {"x": (4,), "action_mask": (7,)},
    ),
    "masks from 1": (
        VECTOR, spaces.Discrete(5, start=1), "env: {action_masks: true}",
        {"observations": (4,), "action_mask": (5,)},
    ),
}  # fmt: skip


def run_of(observations, actions, more, folder, masked=False):
    name = f"PpocWalk{len(gymnasium.registry)}-v0"
    kwargs = {"observations": observations, "actions": actions}
    entry = Barred if masked else Walk
    gymnasium.register(name, entry_point=entry, kwargs=kwargs, max_episode_steps=50)
    env, own = f"id: {name}, num_envs: 1", ""
    for line in more.split("\n"):
        if line.startswith("env: {"):
            env += ", " + line[6:-1]
        else:
            own += line + "\n"
    text = f"ppoc: 1\nname: x\nalgorithm: ppo\nenv: {{{env}}}\n{own}"
    compile_spec(resolve_text(text, "spec.yaml")).write(folder)
    module = load_module(folder / "module.py")
    generator = torch.Generator().manual_seed(0)
    params = module.initial_parameters(0)
    params = params + 0.15 * torch.randn(params.shape, generator=generator)
    named = module.runtime.unflatten(params, module.SHAPES)
    groups = {f"parameters.{name}": tensor for name, tensor in named.items()}
    if hasattr(module, "new_normalizer"):
        normalize = module.new_normalizer()
        size = len(normalize.state()["mean"])
        normalize.update(np.random.default_rng(0).normal(1, 2, (100, size)).astype(np.float32))
        groups |= {f"observations.{k}": v for k, v in normalize.state().items()}
    checkpoints.save(folder / "checkpoints", 100, groups, {"steps": 100})
    return name, module


def leaves(observation):
    if isinstance(observation, dict):
        return [leaf for value in observation.values() for leaf in leaves(value)]
    if isinstance(observation, tuple):
        return [leaf for value in observation for leaf in leaves(value)]
    return [np.asarray(observation)]


def play(name, module, folder, run, said, steps=6):
    """Step an environment of one's own with a file, beside the run's with the run's policy."""
    env = gymnasium.make(name)
    envs, policy = module.make_envs(1), load_run_policy(module, folder, deterministic=True)
    theirs, (observation, _) = envs.reset(3), env.reset(seed=episode_seed(3, 0, 0))
    inputs = {tensors["name"]: tensors for tensors in said["inputs"]}
    masked, memory = "action_mask" in inputs, said["memory"]
    count = len(inputs) - masked - 2 * bool(memory)
    frames, state, start = [], np.zeros((1, memory), np.float32), True
    taken = []
    for _ in range(steps):
        frames = (
            [*frames, leaves(observation)] if frames else [leaves(observation)] * said["frames"]
        )
        frames = frames[-said["frames"] :]
        names = list(inputs)[:count]
        given = {}
        for index, key in enumerate(names):
            parts = [frame[index] for frame in frames]
            array = np.stack(parts) if said["frames"] > 1 else parts[0]
            given[key] = np.asarray(array, inputs[key]["dtype"])[None]
            assert given[key].shape[1:] == tuple(inputs[key]["shape"])
        if masked:
            given["action_mask"] = env.get_wrapper_attr("action_masks")()[None]
        if memory:
            given |= {"starts": np.array([start]), "state": state}
        action, *rest = run(given)
        state, start = (rest[0] if memory else state), False
        expected = policy(theirs)
        space = env.action_space
        shaped = np.reshape(expected, (1, *(space.shape or ()))) + getattr(space, "start", 0)
        np.testing.assert_allclose(action, shaped, rtol=1e-4, atol=1e-4)
        taken.append(np.asarray(action[0], space.dtype))
        theirs = envs.step(expected).observations
        observation, *_ = env.step(taken[-1] if taken[-1].ndim else taken[-1].item())
    assert len({str(action) for action in taken}) > 1


def opened(form, path):
    """A runner of a file, and the interface that it carries, without ppoc."""
    if form == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(path)
        text = session.get_modelmeta().custom_metadata_map["interface"]
        assert [x.name for x in session.get_inputs()] == [
            x["name"] for x in json.loads(text)["inputs"]
        ]
        return (lambda given: session.run(None, given)), json.loads(text)
    extra = {"interface.json": ""}
    if form == "torchscript":
        function = torch.jit.load(path, _extra_files=extra)
    else:
        function = torch.export.load(path, extra_files=extra).module()

    def run(given):
        found = function(*(torch.as_tensor(x) for x in given.values()))
        return [x.numpy(force=True) for x in (found if isinstance(found, tuple) else (found,))]

    return run, json.loads(extra["interface.json"])


ONNX = ("image frames", "dictionary", "masks from 1")


@pytest.mark.parametrize("name", CASES)
def test_a_file_takes_what_the_environment_gives(name, tmp_path):
    observations, actions, more, shapes = CASES[name]
    env_id, module = run_of(observations, actions, more, tmp_path, "masks" in name)
    for form in ("torchscript", *(["onnx"] if name in ONNX else [])):
        path = tmp_path / formats.FILES[form]
        lines = formats.export(module, tmp_path, form, path)
        run, said = opened(form, path)
        assert {x["name"]: tuple(x["shape"]) for x in said["inputs"]} == shapes
        assert [line.split(": ")[0] for line in lines if line.startswith("input ")] == [
            f"input {key}" for key in shapes
        ]
        (out, *_) = said["outputs"]
        assert tuple(out["shape"]) == (actions.shape or ())
        assert said["environment"] == env_id
        assert said["normalized_inside"] == ("normalize" in more)
        play(env_id, module, tmp_path, run, said)


def test_torch_export_carries_the_same(tmp_path):
    observations, actions, more, _ = CASES["dictionary"]
    env_id, module = run_of(observations, actions, more, tmp_path)
    path = tmp_path / "policy.pt2"
    formats.export(module, tmp_path, "torch-export", path)
    run, said = opened("torch-export", path)
    assert said == json.loads(interface.document(interface.given(module), env_id))
    play(env_id, module, tmp_path, run, said)


def test_ranges_types_and_order_are_said(tmp_path):
    observations, actions, more, _ = CASES["dictionary"]
    _, module = run_of(observations, actions, more, tmp_path)
    env = interface.given(module)
    said = {x.name: x for x in (*interface.inputs(env), *interface.outputs(env))}
    assert (said["state"].dtype, said["state"].low, said["state"].high) == ("float32", -2.0, 3.0)
    assert (said["goal.0"].dtype, said["goal.0"].low, said["goal.0"].high) == ("int64", 2, 4)
    assert (said["goal.1"].low, said["goal.1"].high) == ([1, 0], [3, 1])
    assert (said["camera"].dtype, said["camera"].high) == ("uint8", 3)
    assert (said["map"].dtype, said["actions"].low, said["actions"].high) == ("float32", 3, 6)
    text = "\n".join(interface.lines(env))
    assert "in the order bits, camera, goal.0, goal.1, map, state" in text
    assert "observations are normalised" in text
    assert "output actions: int64 [N], 3 to 6" in text
    _, module = run_of(VECTOR, WIDE, "env: {frame_stack: 2}", tmp_path / "frames")
    text = "\n".join(interface.lines(interface.given(module)))
    assert "input observations: float32 [N, 2, 4], -2 to 3; " in text
    assert "the latest 2, oldest first; at a start, the first repeated" in text
    assert "clipped to the bounds" in text
    assert "nothing is normalised" in text
    squashed = "networks: {actor: {distribution: tanh-gaussian}}"
    _, module = run_of(VECTOR, WIDE, squashed, tmp_path / "squashed")
    assert "scaled into the bounds" in "\n".join(interface.lines(interface.given(module)))


def test_what_is_no_array_is_laid_out_outside(tmp_path):
    space = spaces.Dict({"x": VECTOR, "word": spaces.Text(3)})
    _, module = run_of(space, spaces.Discrete(2), "env: {frame_stack: 2}", tmp_path)
    env = interface.given(module)
    (only,) = interface.inputs(env)
    assert (only.name, only.shape) == ("observations", (14,))
    assert "as ppoc's wrappers lay out Dict(" in only.meaning
    assert formats.export(module, tmp_path, "torchscript", tmp_path / "policy.pt")
