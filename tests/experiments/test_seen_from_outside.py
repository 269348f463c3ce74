"""Runs as one sees them from outside: progress, endings, locks and output, whoever wrote them."""

import fcntl
import os

import pytest

from ppoc.experiments.display.progress import LINE_BYTES, Progress, progress
from ppoc.experiments.engines.output import FIRST_BYTES, LAST_BYTES, NAME, Output, reason
from ppoc.experiments.engines.run_folder import Ending, ending, is_held

HEAD = "step,episode_return,policy_loss,steps_per_second\n"


def test_progress_is_the_last_whole_row(tmp_path):
    path = tmp_path / "metrics.csv"
    assert progress(tmp_path) is None
    for text, found in (
        ("", None),
        (HEAD, None),
        (HEAD + "64,21.5,0.1,900\n", Progress("", 64, "return", 21.5)),
        (HEAD + "64,21.5,0.1,900\n128,22", Progress("", 64, "return", 21.5)),
        (HEAD + "64,,0.1,900\n", Progress("", 64, "return", None)),
        (HEAD + "64,nan,0.1,900\n", Progress("", 64, "return", None)),
        ("step,loss\n3,0.5\n", Progress("", 3, "loss", 0.5)),
        ("step,other\n3,0.5\n", Progress("", 3, "", None)),
        (HEAD + "64,1,2,3\n" * 50_000 + "72,5,2,3\n", Progress("", 72, "return", 5.0)),
    ):
        path.write_text(text)
        assert progress(tmp_path) == found


@pytest.mark.parametrize(
    "strange",
    ["a,b\n1,2\n", "step\n-1\n", "step\n1e3\n", f"step\n{'9' * 99}\n", "step,a\n1\n", "\0\0\n\0\n",
     "x" * (3 * LINE_BYTES), HEAD + "9" * (3 * LINE_BYTES) + "\n"],
)  # fmt: skip
def test_strange_metrics_are_no_progress(tmp_path, strange):
    (tmp_path / "metrics.csv").write_text(strange)
    assert progress(tmp_path) is None


def test_metrics_that_are_none_are_not_followed_or_waited_for(tmp_path):
    (tmp_path / "elsewhere").write_text(HEAD + "64,1,2,3\n")
    (tmp_path / "metrics.csv").symlink_to(tmp_path / "elsewhere")
    assert progress(tmp_path) is None
    (tmp_path / "metrics.csv").unlink()
    os.mkfifo(tmp_path / "metrics.csv")
    assert progress(tmp_path) is None


def test_the_stage_that_wrote_last_is_where_a_run_is(tmp_path):
    for place, age in (("sft", 50), ("ppo", 10), ("reward", 30)):
        (tmp_path / place).mkdir()
        (tmp_path / place / "metrics.csv").write_text("step,score\n5,1.5\n")
        os.utime(tmp_path / place / "metrics.csv", (10_000 - age, 10_000 - age))
    assert progress(tmp_path) == Progress("ppo", 5, "score", 1.5)


def test_endings(tmp_path):
    assert ending(tmp_path) is None
    nothing = Ending(False, False, 0, 0.0, None)
    for text, found in (
        ("[", None),
        ("{}", nothing),
        ('{"finished": true, "steps": 9, "seconds": 2, "score": 1}', Ending(True, False, 9, 2, 1)),
        ('{"finished": 1, "steps": -9, "seconds": NaN, "score": Infinity}', nothing),
        (f'{{"score": {"9" * 400}, "steps": {"9" * 400}, "stopped": true}}',
         Ending(False, True, 0, 0.0, None)),
    ):  # fmt: skip
        (tmp_path / "result.json").write_text(text)
        assert ending(tmp_path) == found


@pytest.mark.parametrize("place", ["run.lock", "ppo/run.lock"])
def test_a_run_that_somebody_makes_is_held(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    assert not is_held(tmp_path)
    with path.open("w") as file:
        assert not is_held(tmp_path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_held(tmp_path)
    assert not is_held(tmp_path)


def output_of(tmp_path, data):
    reader, writer = os.pipe()
    output = Output(os.fdopen(reader, "rb"), tmp_path)
    with os.fdopen(writer, "wb") as file:
        file.write(data)
    return output.end()


def test_output_is_kept_within_bounds(tmp_path):
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere")
    assert output_of(tmp_path, b"hello\n") == "hello\n"
    assert (tmp_path / NAME).read_bytes() == b"hello\n"
    assert (tmp_path / "elsewhere").read_text() == "theirs"

    data = b"".join(b"%09d\n" % number for number in range(500_000))
    said = output_of(tmp_path, data)
    assert said.encode() == data[-LAST_BYTES:]
    kept = (tmp_path / NAME).read_bytes()
    assert len(kept) < FIRST_BYTES + LAST_BYTES + 100
    assert kept.startswith(data[:FIRST_BYTES])
    assert kept.endswith(data[-LAST_BYTES:])
    left_out = len(data) - FIRST_BYTES - LAST_BYTES
    assert f"({left_out:,} bytes left out)".encode() in kept

    # A little more than the first part: nothing is told twice.
    output_of(tmp_path, data[: FIRST_BYTES + 10])
    kept = (tmp_path / NAME).read_bytes()
    assert kept == data[: FIRST_BYTES + 10]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", None),
        ("all is well\nno error: here\n", None),
        ("warning: x\nerror: it fell\nno checkpoint was saved yet\n",
         "it fell\nno checkpoint was saved yet"),
        ("error: first\nerror: last\n", "last"),
        ("error[E130]: it fails\n --> spec.yaml:3\n\n a\n b\n", "it fails\n --> spec.yaml:3\n a"),
        ("error: \x1b[31mred\a\n", "\\x1b[31mred\\x07"),
        ("error: " + "x" * 9999, None),
    ],
)  # fmt: skip
def test_reasons_are_the_last_error_in_few_words(said, why):
    found = reason(said)
    if why is None and said.startswith("error"):
        assert len(found) < 600
    else:
        assert found == why
