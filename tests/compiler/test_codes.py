"""Every code has a page, whose commands print what it says and whose fix is one.

`pytest --update-golden` writes what the commands print, for review as a diff.
"""

import inspect
import json
import re
import shlex
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Tuple
from typer.testing import CliRunner

from ppoc.cli.app import app
from ppoc.compiler.batch import check
from ppoc.compiler.front.diagnostics import SpecError, render
from ppoc.compiler.kinds import KINDS
from ppoc.compiler.pages import index, pages

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[EW][0-9]{3}")
BLOCK = re.compile(r"```(yaml|console|file \S+)\n(.*?)```\n", re.DOTALL)
HEADED = re.compile(r"^(?:error|warning)\[([EW][0-9]{3})\]", re.MULTILINE)


class TwoDials(gymnasium.Env):
    """The environment of E105's page."""

    observation_space = Box(-1, 1, (3,))
    action_space = Tuple((Discrete(2), Discrete(3)))


class Rover(gymnasium.Env):
    """The environment of the pages about observations and masks: each option spoils something."""

    action_space = Discrete(2)

    def __init__(self, camera=False, memory=False, far=False, stuck=False):
        self.far, self.stuck = far, stuck
        self.observation_space = Box(-1, 1, (2,))
        if memory:
            self.observation_space = Box(0, 255, (128,), np.uint8)
        if camera:
            image = Box(0, 255, (64, 64, 3), np.uint8)
            self.observation_space = Dict(camera=image, position=self.observation_space)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {"action_mask": np.ones(2, np.int8)}

    def step(self, action):
        observation = np.full(2, 7.5, np.float32) if self.far else self.observation_space.sample()
        mask = np.zeros(2, np.int8) if self.stuck else np.ones(2, np.int8)
        return observation, 0.0, False, False, {"action_mask": mask}


gymnasium.register("TwoDials-v0", entry_point=TwoDials)
gymnasium.register("Rover-v0", entry_point=Rover, max_episode_steps=100)


# The files that the pages about learning from human feedback name.
FILES = {
    "demonstrations": [
        {"prompt": "What is 2 + 2?", "response": "4"},
        {"prompt": "Name a day.", "response": "Wednesday"},
    ],
    "preferences": [
        {"prompt": "What is 2 + 2?", "chosen": "4", "rejected": "5"},
        {"prompt": "Name a day.", "ranking": ["Wednesday", "Wednes", "June"]},
    ],
}


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """The folder of the pages, on a machine of 16 GiB without a C++ compiler."""
    for name, rows in FILES.items():
        text = "".join(f"{json.dumps(row)}\n" for row in rows)
        (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.setattr(
        "ppoc.compiler.rlhf.rules.model.memory_is_enough.machine", lambda: 16 * 2**30
    )
    monkeypatch.setattr("ppoc.compiler.emission.cxx.has_compiler", lambda: False)


def run(command):
    """The output of `$ ppoc …` in the current folder."""
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "ppoc"
    done = CliRunner().invoke(app, words[1:])
    if isinstance(done.exception, SpecError):  # which `main` reports
        return f"{done.output}{render(done.exception.diagnostics)}\n"
    return done.output


RULES = [(kind, one) for kind in KINDS.values() for one in kind.rules]


def codes_in(path):
    return set(re.findall(r'"([EW][0-9]{3})"', path.read_text(encoding="utf-8")))


def file_of(one):
    """The file that a rule stands in."""
    return Path(inspect.getfile(one.find))


def test_every_code_has_a_page_and_every_page_a_code():
    """Codes are those of rules, and those that are given where a text is read or a thing made."""
    files = {path for name in ("compiler", "importing") for path in (ROOT / name).rglob("*.py")}
    elsewhere = files - {file_of(one) for _, one in RULES}
    given = {code for path in elsewhere for code in codes_in(path)}
    assert given | {one.code for _, one in RULES} == set(pages())


@pytest.mark.parametrize("code", sorted({one.code for _, one in RULES}))
def test_a_code_has_one_file_of_rules_in_a_kind_and_the_file_one_code(code):
    for kind in KINDS.values():
        files = {file_of(one) for one in kind.rules if one.code == code}
        assert len(files) <= 1
        for path in files:
            assert codes_in(path) == {code}
            assert path.read_text(encoding="utf-8").startswith(f'"""{code}: ')


def test_every_file_of_a_folder_of_rules_has_rules():
    files = {path for path in (ROOT / "compiler").glob("*/rules/*/*.py") if path.stem != "__init__"}
    assert files <= {file_of(one) for _, one in RULES}
    assert len(files) > 50


@pytest.mark.parametrize("code", pages())
def test_the_commands_of_a_page_print_what_it_says(code, tmp_path, monkeypatch, request):
    """The smallest spec has this code and no other, at the place shown."""
    monkeypatch.chdir(tmp_path)
    shown = []

    def replay(match):
        kind, body = match.groups()
        if kind != "console":
            path = Path("spec.yaml" if kind == "yaml" else kind.removeprefix("file "))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body, encoding="utf-8")
            return match[0]
        command = body.partition("\n")[0]
        shown.append(f"{command}\n{run(command)}")
        return f"```console\n{shown[-1]}```\n"

    text = BLOCK.sub(replay, pages()[code].text)
    if request.config.getoption("--update-golden"):
        (ROOT / "compiler" / "codes" / f"{code}.md").write_text(text, encoding="utf-8")
        pages.cache_clear()
    assert text == pages()[code].text
    assert HEADED.findall(shown[0]) == [code]
    assert "= help: " in shown[0]


@pytest.mark.parametrize("code", pages())
def test_what_a_page_tells_to_do_makes_a_spec_without_a_problem(code, tmp_path):
    *_, (kind, body) = BLOCK.findall(pages()[code].text)
    if kind == "yaml":
        path = tmp_path / "spec.yaml"
        path.write_text(body, encoding="utf-8")
        assert check(path).found == []
    elif code != "E001":  # nothing but another file helps there
        assert "\nok: " in body


@pytest.mark.parametrize("code", pages())
def test_a_page_is_laid_out_like_the_others(code):
    """Its title, why, the smallest spec, what is printed, what to do."""
    page = pages()[code]
    lines = page.text.split("\n")
    assert lines[0] == f"# {code}: {page.title}"
    assert page.title
    assert page.title[0].islower() or page.title.startswith("GAE")
    kinds = [kind for kind, _ in BLOCK.findall(page.text)]
    kinds = [kind for kind in kinds if not kind.startswith("file ")]
    assert kinds[:2] == ["yaml", "console"] or code == "E001"
    assert lines.count("## What to do") == 1
    prose = BLOCK.sub("", page.text).split("\n")
    assert max(map(len, prose)) <= 101
    for name in re.findall(r"\]\(([^)]+)\)", page.text):
        assert (ROOT / "compiler" / "codes" / name).exists()


def test_the_index_is_written_by_the_command():
    assert (ROOT / "docs" / "codes.md").read_text(encoding="utf-8") == index()
    assert CODE.findall(index())[-1] in pages()
