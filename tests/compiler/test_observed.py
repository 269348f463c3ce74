"""Observations and masks that random steps show to be seen badly, or not as they were announced."""

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple

from ppoc.compiler.agent.env.observed import Watch
from ppoc.compiler.batch import check

PIXELS = Box(0, 255, (16, 16, 3), np.uint8)
VECTOR = Box(-1, 1, (3,), np.float32)
RAM = Box(0, 255, (20,), np.uint8)
WIDE = Box(0, 1e4, (3,), np.float32)
SPACES = {
    "vector": (VECTOR, None),
    "vectors": (Dict(a=VECTOR, b=Tuple((VECTOR, Discrete(300)))), None),
    "choice": (Discrete(500), None),
    "small-bytes": (Box(0, 9, (20,), np.uint8), None),
    "grid": (Box(0, 10, (7, 7, 3), np.uint8), None),
    "unbounded": (Box(-np.inf, np.inf, (3,)), None),
    "camera": (Dict(camera=PIXELS, position=VECTOR), None),
    "cameras": (Tuple((PIXELS, PIXELS)), None),
    "deep": (Dict(sight=Dict(left=PIXELS), speed=VECTOR), None),
    "float-pixels": (Dict(camera=Box(0, 255, (32, 32), np.float32), x=VECTOR), None),
    "image": (PIXELS, None),
    "ram": (RAM, None),
    "ram-within": (Dict(a=VECTOR, ram=RAM), None),
    "wide": (WIDE, None),
    "wide-but-small": (WIDE, 5.0),
    "unbounded-but-large": (Box(-np.inf, np.inf, (3,)), 900.0),
    "outside": (VECTOR, 3.0),
    "rounding": (VECTOR, 1.000001),
    "raising": (WIDE, "raises"),
}


class Sensor(gymnasium.Env):
    """Gives samples of its space, or always the same number."""

    action_space = Discrete(2)

    def __init__(self, name):
        self.observation_space, self.given = SPACES[name]

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        if self.given == "raises":
            raise RuntimeError("no sensor")
        return self._look(), {}

    def step(self, action):
        return self._look(), 0.0, False, False, {}

    def _look(self):
        if self.given is None:
            return self.observation_space.sample()
        return np.full(self.observation_space.shape, self.given)  # float64, as many give it


for _name in SPACES:
    arguments = {"name": _name}
    gymnasium.register(f"Sensor-{_name}-v0", Sensor, kwargs=arguments, max_episode_steps=50)


def found(tmp_path, name, more=""):
    path = tmp_path / "spec.yaml"
    path.write_text(f"ppoc: 1\nalgorithm: ppo\nenv: {{id: Sensor-{name}-v0{more}}}\n")
    return check(path).found


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        *((name, []) for name in ("vector", "vectors", "choice", "small-bytes", "unbounded")),
        *((name, []) for name in ("wide-but-small", "rounding", "grid")),
        *((name, ["W209"]) for name in ("camera", "deep", "float-pixels", "image")),
        ("cameras", ["W209", "W209"]),
        *((name, ["W207"]) for name in ("ram", "ram-within", "wide")),
        ("raising", ["E130"]),
        ("unbounded-but-large", ["W207"]),
        ("outside", ["W208"]),
    ],
)
def test_what_is_seen_badly_is_told(tmp_path, name, codes):
    assert [d.code for d in found(tmp_path, name)] == codes


@pytest.mark.parametrize("name", ["ram", "ram-within", "wide", "unbounded-but-large"])
def test_what_is_normalised_is_not_large(tmp_path, name):
    assert found(tmp_path, name, ", normalize: {observations: true}") == []


def test_odd_spaces_have_no_parts_or_plain_ones():
    watch = Watch(Dict(none=Box(-1, 1, (0,)), one=Box(-1, 1, ()), text=Text(5)), Discrete(2))
    watch.take(0, {"none": np.zeros(0), "one": np.float32(0.5), "text": "a"})
    assert [(part.name, part.largest, part.is_image) for part in watch.found().parts] == [
        ("one", 0.5, False)
    ]


def test_parts_are_named(tmp_path):
    assert "`sight.left`, an image of 16×16×3," in found(tmp_path, "deep")[0].message
    assert "`0`, an image" in found(tmp_path, "cameras")[0].message
    assert "observations `ram` are large" in found(tmp_path, "ram-within")[0].message
    assert "component 0 is 3 at a reset" in found(tmp_path, "outside")[0].message


def test_a_convolution_is_not_warned_of(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(
        "ppoc: 1\nalgorithm: ppo\nenv: {id: Sensor-image-v0, resize: [40, 40]}\n"
        "networks: {actor: {body: nature-cnn}, critic: {share: body}}\n"
    )
    pytest.importorskip("cv2")
    assert check(path).found == []


@pytest.mark.parametrize(
    ("actions", "mask", "forbidden"),
    [
        (Discrete(3), [0, 1, 0], False),
        (Discrete(3), [0, 0, 0], True),
        (Discrete(3), np.zeros(3, bool), True),
        (MultiDiscrete([2, 3]), [0, 1, 0, 0, 1], False),
        (MultiDiscrete([2, 3]), [1, 1, 0, 0, 0], True),
        (MultiDiscrete([2, 3]), [[0, 0], [1, 1, 1]], True),
        (MultiDiscrete([2, 3]), (np.ones(2), np.ones(3)), False),
        (Discrete(3), [0, 0], False),  # of another length, which the run says
    ],
)
def test_a_mask_that_allows_nothing_is_seen(actions, mask, forbidden):
    watch = Watch(VECTOR, actions)
    watch.take(4, np.zeros(3), mask)
    assert watch.found().forbidden == ("at step 4 of random ones" if forbidden else "")
