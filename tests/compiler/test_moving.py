"""Code beside a spec is noted in its lock, also where it changes the working directory."""

from pathlib import Path

from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve

MOVING = """
import os
import gymnasium

class Moving(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,))
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self):
        os.chdir("/")

    def reset(self, *, seed=None, options=None):
        return self.observation_space.low, {}

    def step(self, action):
        return self.observation_space.low, 0.0, True, False, {}
"""
SPEC = "ppoc: 1\nalgorithm: ppo\nenv: {id: 'moving:Moving', num_envs: 2}\n"


def test_the_folder_of_code_that_changes_the_working_directory_is_noted(tmp_path, monkeypatch):
    (tmp_path / "moving.py").write_text(MOVING)
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    compiled = compile_spec(resolve(Path("spec.yaml")), trust=True)
    assert compiled.plan.facts.code_folders == (str(tmp_path),)
