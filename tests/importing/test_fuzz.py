"""Whatever is done to a hyper-parameter file, the outcome is diagnostics or specs that are right.

`pytest -m slow tests/importing/test_fuzz.py` tries ten thousand changes; 150 run by default.
"""

import random
import re
import tempfile
from pathlib import Path

import pytest

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import resolve_text
from ppoc.importing.rl_zoo import convert

FILE = """\
default:
  n_timesteps: !!float 1e6
  policy: 'MlpPolicy'

atari:
  env_wrapper:
    - stable_baselines3.common.atari_wrappers.AtariWrapper
  frame_stack: 4
  policy: 'CnnPolicy'
  n_envs: 8
  n_steps: 128
  learning_rate: lin_2.5e-4
  clip_range: lin_0.1

Pendulum-v1: &pendulum
  n_envs: 4
  n_timesteps: !!float 1e5
  n_steps: 1024
  gamma: 0.9
  use_sde: True
  sde_sample_freq: 4
  normalize: "{'norm_obs': False, 'norm_reward': True}"

HalfCheetah-v4:
  <<: *pendulum
  normalize: true
  batch_size: 64
  learning_rate: 2.0633e-05
  policy_kwargs: "dict(log_std_init=-2, ortho_init=False, activation_fn=nn.ReLU,
                       net_arch=dict(pi=[256, 256], vf=[256, 256]))"

CarRacing-v3:
  env_wrapper:
    - rl_zoo3.wrappers.FrameSkip:
        skip: 2
    - gymnasium.wrappers.transform_observation.GrayscaleObservation:
        keep_dim: true
  frame_stack: 2
  policy: 'CnnPolicy'
  n_envs: 8

CartPoleNoVel-v1:
  policy: 'MlpLstmPolicy'
  policy_kwargs: "dict(enable_critic_lstm=True, lstm_hidden_size=64, n_lstm_layers=1)"
"""
FRAGMENTS = [
    *("", "~", "null", "1e999", ".nan", "-1", "0", "9" * 30, "true", "'True'", "lin_", "lin_x"),
    *("lin_-1", "[]", "{}", "[1, [2]]", "{a: {b: 1}}", "dict(", "dict(a=b)", "dict(**{'a': 1})"),
    *("'dict(net_arch=[dict(pi=[64], vf=[64])])'", "'[64, {\"pi\": [8]}]'", "\"{'norm_obs': 3}\""),
    *("\"__import__('os').system('true')\"", "os.system", "nn.Softmax", "!!python/name:os.system"),
    *(
        "&x *x",
        "*none",
        "<<: *pendulum",
        "- - -",
        ": :",
        "\t",
        "\x00",
        "é",
        "{{ 7 * 7 }}",
        "%",
        "'",
    ),
    *("CnnPolicy", "MultiInputPolicy", "th.optim.AdamW", "1_000", "!!float x", "!!int 3", "0.1.2"),
]
KEYS = sorted(
    set(re.findall(r"(\w+):", FILE)) | {"ent_coef", "cg_max_steps", "vf_coef", "n_epochs"}
)


def changed(seed: int) -> str:
    """The file after a few careless or hostile edits."""
    draw = random.Random(seed)
    lines = FILE.splitlines()
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(lines))
        edit = draw.randrange(6)
        if edit == 0:
            del lines[at]
        elif edit == 1:
            lines.insert(at, lines[draw.randrange(len(lines))])
        elif edit == 2:
            lines.insert(at, f"  {draw.choice(KEYS)}: {draw.choice(FRAGMENTS)}")
        elif edit == 3:
            head, colon, _ = lines[at].partition(":")
            lines[at] = f"{head}{colon} {draw.choice(FRAGMENTS)}"
        elif edit == 4:
            start = draw.randrange(len(lines[at]) + 1)
            end = min(len(lines[at]), start + draw.randrange(6))
            lines[at] = lines[at][:start] + draw.choice(FRAGMENTS) + lines[at][end:]
        else:
            lines[at] = " " * draw.randrange(8) + lines[at].lstrip()
        lines = lines or [""]
    return "\n".join(lines) + "\n"


def outcome(seed: int, folder: Path) -> str:
    """How a changed file ends: refused, or specs of which each is right or has told problems."""
    path = folder / draw_name(seed)
    path.write_text(changed(seed), encoding="utf-8")
    try:
        found = list(convert(path))
    except SpecError as error:
        return "refused" if error.diagnostics else "nothing said"
    for imported in found:
        if imported.text and not imported.problems:
            resolve_text(imported.text, "spec.yaml")
    return "specs"


def draw_name(seed: int) -> str:
    """Files are of four algorithms."""
    return ("ppo.yml", "a2c.yml", "trpo.yml", "ppo_lstm.yml")[seed % 4]


def run(seeds: range) -> dict[str, int]:
    count = {"refused": 0, "specs": 0}
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            try:
                count[outcome(seed, Path(folder))] += 1
            except Exception as error:
                raise AssertionError(f"seed {seed}:\n{changed(seed)}") from error
    return count


def test_changed_files_end_in_diagnostics_or_specs():
    count = run(range(150))
    assert min(count.values()) > 10


@pytest.mark.slow
def test_ten_thousand_changed_files():
    count = run(range(150, 10_150))
    print(count)
    assert sum(count.values()) == 10_000
