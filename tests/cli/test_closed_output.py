"""Who reads the output of a verb, such as `head`, has enough: it ends quietly, as unix tools do."""

import os
import subprocess
import sys

import pytest

from ppoc.cli.app import app, main
from ppoc.cli.terminal import UNREAD

SHORT = ("-s", "training.total_steps=128", "-s", "update.rollout_steps=128", "-s", "env.num_envs=4")
VERBS = {
    "--version": (),
    "--help": (),
    "init": ("new.yaml",),
    "check": ("agent.yaml",),
    "compile": ("agent.yaml", "--explain-plan", "--out", "compiled"),
    "run": ("agent.yaml", *SHORT, "--out", "run", "-q"),
    "eval": ("trained", "-n", "2"),
    "chat": ("--help",),  # without a language model
    "diagnose": ("trained",),
    "draft": ("PPO on CartPole",),
    "describe": ("agent.yaml",),
    "eject": ("agent.yaml", "-o", "alone"),
    "export": ("trained", "--format", "torchscript"),
    "explain": ("agent.yaml",),
    "diff": ("agent.yaml", "agent.yaml"),
    "compare": ("trained",),
    "variance": ("agent.yaml", "--batches", "2", *SHORT),
    "reproduce": ("--help",),  # what it says otherwise is for the terminal
    "schema": (),
    "zoo": ("list",),
    "import": ("rl-zoo", "ppo.yml", "-o", "specs"),
}


def test_every_verb_is_tried():
    verbs = {info.name or info.callback.__name__ for info in app.registered_commands}
    groups = {info.name for info in app.registered_groups}
    assert verbs | groups == VERBS.keys() - {"--version", "--help"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_whose_reader_is_gone_ends_quietly(ppoc, verb, monkeypatch, capsys, tmp_path):
    assert ppoc("init", "agent.yaml").code == 0
    (tmp_path / "ppo.yml").write_text("CartPole-v1: {n_envs: 8, n_steps: 32, n_timesteps: 1e5}\n")
    if "trained" in VERBS[verb]:
        assert ppoc("run", "agent.yaml", *SHORT, "--out", "trained", "-q").code == 0
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as unread, monkeypatch.context() as changed:
        changed.setattr(sys, "argv", ["ppoc", verb, *VERBS[verb]])
        changed.setattr(sys, "stdout", unread)
        changed.setattr(sys, "stderr", sys.stderr)  # Typer changes it
        with pytest.raises(SystemExit) as exit:
            main()
    # A run is not to fail after its training.
    assert (exit.value.code or 0) == (0 if verb == "run" else UNREAD)
    assert "rror" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", ["zoo list", "schema --help"]
)  # within a pipe's buffer, and by Rich
def test_python_does_not_complain_when_it_ends(words):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "ppoc.cli", *words.split()], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (UNREAD, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_is_one_message():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ppoc.cli", "zoo", "list"], stdout=full, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (3, b"error: No space left on device\n")
