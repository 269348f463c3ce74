"""Standard streams that are closed, of a small encoding, or printed to by others break no verb."""

import codecs
import json
import os
import subprocess
import sys
import warnings

import pytest

from ppoc.formats import streams

PPOC = [sys.executable, "-m", "ppoc.cli"]
SMALL = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
SPEC = """\
ppoc: 1
name: noisy
algorithm: ppo
env: {id: 'noisy:Noisy-v0', num_envs: 2}
networks: {actor: {layers: [8]}, critic: {layers: [8]}}
update: {rollout_steps: 64, epochs: 1, minibatch_size: all}
training: {total_steps: 128, compile: never, device: cpu}
evaluation: {episodes: 2}
"""
NOISY = """\
import ctypes, os, subprocess, sys, warnings
import gymnasium, numpy as np

class Noisy(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.left = 10
        print("by print ±")
        sys.__stdout__.write("by the stream itself\\n")
        os.write(1, b"by number\\n")
        ctypes.CDLL(None).puts(b"by C")
        subprocess.run(["echo", "by a child"])
        warnings.warn("by a warning")
        return np.zeros(3, np.float32), {}

    def step(self, action):
        self.left -= 1
        return np.zeros(3, np.float32), 1.0, self.left == 0, False, {}

gymnasium.register("Noisy-v0", Noisy)
"""


@pytest.fixture
def noisy(tmp_path):
    """Run `ppoc ARGS` by a shell, in a folder with a spec whose environment prints."""
    (tmp_path / "noisy.py").write_text(NOISY)
    (tmp_path / "spec.yaml").write_text(SPEC)

    def run(words, redirections="", **environment):
        command = ["sh", "-c", f'exec "$@" {redirections}', "sh", *PPOC, *words.split()]
        known = {"PYTHONPATH": str(tmp_path), "PPOC_TRUST": "noisy", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={**os.environ, **known, **environment},
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in done.stdout + done.stderr
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_closed_streams_and_small_encodings_break_no_training(noisy, tmp_path):
    noisy("run spec.yaml --trust --out closed", "<&- >&- 2>&-")
    assert json.loads((tmp_path / "closed" / "result.json").read_text())["finished"]
    for file in (tmp_path / "closed").rglob("*"):
        assert not file.is_file() or b"by print" not in file.read_bytes()
    done = noisy("eval closed --trust", "2>&-", **SMALL)
    assert b" +- 0.00, IQM" in done.stdout


def test_lines_of_json_are_alone_on_standard_output(noisy):
    done = noisy("run spec.yaml --trust --out run --json", **SMALL)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["event"] for row in rows][-2:] == ["update", "result"]
    assert rows[-1]["evaluation"]["mean"] == 10
    for way in ("print +-", "the stream itself", "number", "C", "a child", "a warning"):
        assert f"by {way}".encode() in done.stderr


CLOSED = """
import os, sys
before = sorted(os.listdir("/proc/self/fd"), key=int) if os.path.exists("/proc/self/fd") else []
from ppoc.formats import streams
streams.open_streams()
with open({out!r}, "w") as file:
    assert file.fileno() > 2, file.fileno()
    print("lost?", flush=True)
    print("lost?", file=sys.stderr, flush=True)
    print(sys.stdin.read() == "", os.get_inheritable(0), os.get_inheritable(2), file=file)
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_gives_its_number_to_no_file(tmp_path, closed):
    out = tmp_path / "out"
    program = CLOSED.format(out=str(out))
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", program]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert out.read_text() == "True True True\n"


LATE = """
import ctypes, sys
from ppoc.formats import streams
streams.open_streams()
streams.keep_for_results()
ctypes.CDLL(None).puts(b"by C")
sys.__stdout__.write("by the stream itself\\n")
print("a result", file=streams.results())
streams.release()
print("after")
"""


def test_what_others_wrote_late_is_no_result():
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, check=True)
    assert done.stdout == b"a result\nafter\n"
    assert sorted(done.stderr.splitlines()) == [b"by C", b"by the stream itself"]


def spelt(text, encoding="ascii"):
    streams.open_streams()
    return codecs.encode(text, encoding, streams.ERRORS).decode(encoding)


@pytest.mark.parametrize(
    ("text", "encoding", "plain"),
    [
        ("10 ± 2 – 3 → 4 × 5…", "ascii", "10 +- 2 - 3 -> 4 x 5..."),
        ("δₜ = rₜ₊₁ + γλ V(sₜ)²", "ascii", "delta_t = r_{t+1} + gamma lambda V(s_t)^2"),
        ("Σ π_θ ¹⁰ᵏ", "ascii", "Sigma pi_theta ^{10k}"),
        ("── Â ─┬│", "ascii", "-- A^ -+|"),
        ("é ± ²", "latin-1", "é ± ²"),
        ("é → ε", "latin-1", "é -> epsilon"),
        ("10 ± 2 – ε", "cp1252", "10 ± 2 – epsilon"),
        ("é 走 \udcff", "ascii", r"\xe9 \u8d70 \udcff"),
        ("\udcff", "utf-8", r"\udcff"),
    ],
)
def test_what_an_encoding_lacks_is_spelt(text, encoding, plain):
    assert spelt(text, encoding) == plain


def test_a_dumb_terminal_gets_lines_and_no_colour(monkeypatch):
    class Terminal:
        def isatty(self):
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    assert streams.is_terminal(Terminal())
    assert streams.shows_colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert streams.is_terminal(Terminal())
    assert not streams.shows_colour(Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert not streams.is_terminal(Terminal())


def test_standard_output_is_given_back(capsys):
    before = sys.stdout
    streams.keep_for_results()
    print("by others")
    print("a result", file=streams.results())
    streams.release()
    assert sys.stdout is before
    assert capsys.readouterr() == ("a result\n", "by others\n")
    assert streams.results() is before


def test_warnings_are_for_users_and_escaped(monkeypatch):
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)  # put back at the end
    streams.open_streams()
    ours = warnings.formatwarning("no close:\x1b[2J", RuntimeWarning, streams.__file__, 3)
    assert ours == "warning: no close:\\x1b[2J\n"
    others = warnings.formatwarning("old\x1b[2J", UserWarning, "/lib/other.py", 3)
    assert others == "/lib/other.py:3: UserWarning: old\\x1b[2J\n"
