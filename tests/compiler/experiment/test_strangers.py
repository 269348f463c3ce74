"""Experiments of strangers: large, circular, or leading elsewhere. Bounded time, clear errors."""

import os
import time

import pytest

from ppoc.compiler.batch import check

NINE_HUNDRED = list(range(900))
HEAD = "ppoc: 1\nkind: experiment\n"


def codes(folder, text):
    path = folder / "spec.yaml"
    path.write_text(HEAD + text)
    return [(d.code, d.span.line if d.span else None) for d in check(path, probe=False).found]


@pytest.mark.parametrize(
    "text",
    [
        "variants:\n" + "".join(f"  v{n}: {{x: {n}}}\n" for n in range(999)) + "seeds: 1000\n",
        "vary:\n" + "".join(f"  k{n}: {NINE_HUNDRED}\n" for n in range(9)),
        f"vary: {{x: {NINE_HUNDRED}}}\ntasks: {[f'T-v{n}' for n in range(900)]}\n",
        "search:\n  space:\n"
        + "".join(f"    k{n}: {{choice: {list(range(90))}}}\n" for n in range(90)),
    ],
)  # fmt: skip
def test_more_than_can_be_planned_is_told_at_once(text, tmp_path):
    began = time.monotonic()
    assert {code for code, _ in codes(tmp_path, f"base: ppo/cartpole\n{text}\n")} == {"E306"}
    assert time.monotonic() - began < 20


def test_an_alias_that_holds_itself_ends(tmp_path):
    assert codes(tmp_path, "base: ppo/cartpole\nset: &a {training: *a}\n") == [("E004", 4)]
    assert codes(tmp_path, "base: &a {env: *a}\n") == [("E004", 3)]


@pytest.mark.parametrize("base", ["../other.yaml", "/etc/passwd.yaml", "link.yaml", "pipe.yaml"])
def test_a_base_is_a_regular_file_below_the_experiment(base, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (tmp_path / "other.yaml").write_text("ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n")
    (folder / "link.yaml").symlink_to(tmp_path / "other.yaml")
    os.mkfifo(folder / "pipe.yaml")
    assert codes(folder, f"base: {base}\n") == [("E301", 3)]


def test_a_name_that_steers_a_terminal_is_told_without_it(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD + 'base: "\\e[2J\\0x.yaml"\n')
    (found,) = check(path).found
    assert found.code == "E301"


def test_bases_that_extend_each_other_in_a_circle_end(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    assert codes(tmp_path, "base: a.yaml\nvary: {update.epochs: [1, 2]}\n") == [("E017", 1)]


def test_ten_settings_on_three_tasks_are_checked_quickly(tmp_path):
    text = "base: ppo/cartpole\nvary: {update.epochs: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}\n"
    text += "tasks: [CartPole-v1, Acrobot-v1, MountainCar-v0]\n"
    began = time.process_time()
    assert codes(tmp_path, text) == []
    assert time.process_time() - began < 2
