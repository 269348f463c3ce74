"""Run folders of strangers: no verb waits, follows a link out, ends in a traceback or steers."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ppoc.formats.text import is_printable

RUN = Path(__file__).parents[1] / "artefacts" / "cartpole"
FILES = (
    *("module.py", "metrics.csv", "evaluations.jsonl", "health.jsonl", "result.json", "run.lock"),
    *("error.txt", "checkpoints/step-000000000256/checkpoint.json"),
    "checkpoints/step-000000000256/tensors.safetensors",
)
STEERING = "\x1b[2J\u202e\u200b"
HEALTH = {"format": 1, "event": "divergence", "step": 256, "text": STEERING + "x" * 500_000}
ODD = {
    "pipe": os.mkfifo,
    "zero": lambda path: path.symlink_to("/dev/zero"),
    "link": lambda path: path.symlink_to(path.parent / "spec.lock.yaml"),
    "folder": lambda path: path.mkdir(),
    "empty": lambda path: path.touch(),
    "random": lambda path: path.write_bytes(random.Random(0).randbytes(2_000)),
    "sparse": lambda path: (path.touch(), os.truncate(path, 2**40)),
    "steering": lambda path: path.write_text(f'{{"format": "{STEERING}", "a": "{STEERING}"}}\n'),
    "deep": lambda path: path.write_text("[" * 100_000),
    "health": lambda path: path.write_text(f"{json.dumps(HEALTH)}\n" * 3),
    "wide": lambda path: path.write_text('{"format": 1, "step": 1e999, "steps": [], "mean": {}}\n'),
}


@pytest.fixture
def folder(ppoc, tmp_path):
    """A stranger's run folder, beside a file of its user."""
    (tmp_path / "precious").write_text("precious")
    return shutil.copytree(RUN, tmp_path / "run")


def replaced(folder, name, kind):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    ODD[kind](path)


@pytest.mark.parametrize("kind", ODD)
def test_diagnose_answers_whatever_a_file_is(ppoc, folder, tmp_path, kind):
    for number, name in enumerate(FILES):
        copy = shutil.copytree(folder, tmp_path / str(number))
        replaced(copy, name, kind)
        for form in ("text", "json"):
            done = ppoc("diagnose", copy, "--format", form)
            assert done.code in (0, 2), (name, done.err)
            assert done.out or done.err.startswith("error: "), name
            assert all(map(is_printable, (done.out + done.err).split("\n"))), name
            assert form == "json" or len(done.out + done.err) < 20_000, name


CONSTANTS = (
    *("NUM_ITERATIONS", "BATCH_SIZE", "EPOCHS", "GAMMA", "CLIP_RANGE", "LEARNING_RATE", "SHAPES"),
    *("MAX_GRAD_NORM", "TARGET_KL", "KL_LIMIT", "ENTROPY_COEFFICIENT", "VALUE_COEFFICIENT"),
    *("ACTOR_LEARNING_RATE", "CRITIC_LEARNING_RATE", "ACTION_LOW", "NORMALIZE_CLIP", "KL_WEIGHT"),
    *("ROLLOUT_SIZE", "MINIBATCH_SIZE", "REWARD_BATCH_SIZE", "SFT_EPOCHS", "KL_HORIZON", "TOP_K"),
    *("MISSING_END_SCORE", "ARCHITECTURE", "LORA_RANK", "VALUE_LEARNING_RATE", "MAX_NEW_TOKENS"),
)
VALUES = (
    *('"x"', "0", "-1", "None", "True", "1.5", "1e999", "10" * 40, "9" * 4_000, "[]", "{}", "(1,)"),
    *('{"actor.bias": "x"}', '{"actor.bias": ()}', '{"actor.bias": 0}', "{1: 2}", "[[1]]", "b'x'"),
    *("1e-320", "-1e308", '{"actor.log_std": (1,), "actor.b": (-1,)}', "1j", "..."),
)
ROWS = "step,approx_kl,entropy,grad_norm,clip_fraction,value_loss,explained_variance,episode_return"


@pytest.mark.parametrize("kind", ["control", "rlhf"])
def test_diagnose_trusts_no_constant_of_a_module(ppoc, folder, kind):
    """Each constant with each value, in a run that has every symptom."""
    rows = [f"{128 * i},9.0,{3.0 / i},1e9,1.0,{10.0**i},-9.0,{-i}" for i in range(1, 40)]
    for name in ("", "ppo"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "metrics.csv").write_text("\n".join([ROWS, *rows]) + "\n")
    rng = random.Random(kind)
    for value in VALUES:
        given = {name: value if rng.random() < 0.5 else "0.5" for name in CONSTANTS}
        text = "".join(f"{name} = {text}\n" for name, text in given.items())
        (folder / "module.py").write_text(f'KIND = "{kind}"\n{text}')
        done = ppoc("diagnose", folder)
        assert (done.code, done.err) == (0, ""), value
        assert "kl" in done.out


def test_nothing_is_written_before_a_folder_is_verified(folder):
    """By the command itself, which forks before it trains: here, no torch is loaded yet."""
    (folder / "module.py").write_text("open('evil', 'w')\n")
    command = [sys.executable, "-P", "-m", "ppoc.cli", "run", "run", "--resume", "-q"]
    for odd in (lambda path: path.symlink_to("../precious"), os.mkfifo):
        odd(folder / "crash.txt")
        done = subprocess.run(
            command, cwd=folder.parent, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: run/crash.txt is")
        assert (folder.parent / "precious").read_text() == "precious"
        (folder / "crash.txt").unlink()
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
    assert "module.py was changed after it was compiled" in done.stderr
    assert not (folder / "crash.txt").exists()
    assert not (folder.parent / "evil").exists()


LINKED = ("run.lock", "metrics.csv", "health.jsonl", "evaluations.jsonl", "tensorboard")


@pytest.mark.parametrize("name", LINKED)
def test_a_run_that_goes_on_writes_through_no_link_within(ppoc, folder, name):
    """Such as one from metrics.csv to the module, which would be another program afterwards."""
    before = (folder / "module.py").read_text()
    (folder / "result.json").unlink()
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("module.py")
    done = ppoc("run", folder, "--resume", "-q")
    assert done.code in (0, 3)
    assert done.code == 0 or name in done.err
    assert (folder / "module.py").read_text() == before


@pytest.mark.parametrize("name", ["ppo/cartpole", "trpo/halfcheetah"])
def test_locks_are_described(ppoc, compiled_of, name):
    Path("lock.yaml").write_text(compiled_of(name).lock)
    done = ppoc("describe", "lock.yaml")
    assert done.code == 0
    assert done.out.startswith("Train ")


def test_a_card_shows_what_a_folder_says_and_nothing_else(folder, tmp_path):
    from ppoc.cli.folders import RunFolder
    from ppoc.exporting.hub import export

    manifest = json.loads((folder / "manifest.json").read_text())
    evil = "<img src=x onerror=alert(1)>\n# [free](http://evil)" + STEERING
    manifest["versions"] = {evil: "x" * 10_000, "numpy": evil}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    export(RunFolder.open(folder).module, folder, tmp_path / "hub")
    card = (tmp_path / "hub" / "README.md").read_text()
    last = card.splitlines()[-1]
    assert last.startswith("Made with \\<img src=x")
    assert r"\[free\](http\://evil)" in last
    assert len(last) < 1_000
    assert all(map(is_printable, card.split("\n")))
