"""Strangers' environments, looked at: each fault is one diagnostic, each legal oddity passes."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import strangers
from ppoc.compiler import batch
from ppoc.compiler.agent.env import isolation, making, stepping
from ppoc.compiler.agent.env.wrapping import OWN_WRAPPERS, WITH_VELOCITIES
from ppoc.compiler.batch import check, check_all
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve
from ppoc.runtime.envs.wrappers import VELOCITIES


@pytest.fixture
def folder(tmp_path):
    shutil.copy(strangers.__file__, tmp_path / "foreign.py")
    return tmp_path


def spec(folder, env_id, more="", name="spec.yaml"):
    text = (
        f"ppoc: 1\nalgorithm: ppo\nenv: {{id: '{env_id}', num_envs: 2{more}}}\n# ppoc: allow W212\n"
    )
    (folder / name).write_text(text)
    return folder / name


def found(folder, env_id, more="", trust=True):
    return check(spec(folder, env_id, more), trust=trust).found


def only(folder, env_id, more="", trust=True):
    diagnostics = found(folder, env_id, more, trust)
    assert len(diagnostics) == 1, diagnostics
    return diagnostics[0]


@pytest.mark.parametrize("name", strangers.FAULTS)
def test_a_fault_is_one_diagnostic(folder, name):
    fault = only(folder, f"foreign:{name}")
    assert (fault.code, fault.span.line) == ("E130", 3)
    assert strangers.FAULTS[name][1] in fault.message
    assert fault.help


@pytest.mark.parametrize("name", strangers.ODDITIES)
def test_a_legal_oddity_passes(folder, name):
    before = os.getcwd(), os.environ.get("HOME")
    assert found(folder, f"foreign:{name}") == []
    assert (os.getcwd(), os.environ.get("HOME")) == before


def test_children_of_an_environment_end_with_the_look_at_it(folder):
    script = (
        f"from pathlib import Path; from ppoc.compiler.batch import check; "
        f"print(check(Path({str(spec(folder, 'foreign:children'))!r}), trust=True).found)"
    )
    done = subprocess.run(  # which waits for whoever has its output open
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=40
    )
    assert done.stdout == "[]\n"


def test_a_step_that_hangs_ends_after_its_time(folder):
    start = time.monotonic()
    fault = only(folder, "foreign:Hangs", ", step_timeout: 0.3")
    assert (fault.code, "takes longer than 0.3 s, in step 1" in fault.message) == ("E130", True)
    assert fault.span.text[fault.span.column - 1 :].startswith("0.3")
    assert time.monotonic() - start < 10


def test_without_a_limit_a_step_that_hangs_ends_too(folder, monkeypatch):
    monkeypatch.setattr(stepping, "STEP_SECONDS", 0.3)
    fault = only(folder, "foreign:Hangs")
    assert (fault.code, "step_timeout" in fault.help) == ("E130", True)


def test_random_steps_have_a_budget(folder, monkeypatch):
    monkeypatch.setattr(stepping, "BUDGET_SECONDS", 0.5)
    start = time.monotonic()
    assert found(folder, "foreign:Slow") == []
    assert time.monotonic() - start < 10


def test_what_ends_or_hangs_when_it_is_made(folder, monkeypatch):
    monkeypatch.setattr(making, "MAKE_SECONDS", 3.0)
    assert (
        "exit code 0, as os._exit does, in its cons"
        in only(folder, "foreign:ExitsWhenMade").message
    )
    assert "`foreign:Asks` cannot be made" in only(folder, "foreign:Asks").message
    (folder / "endless.py").write_text("import time\ntime.sleep(60)\n")
    fault = only(folder, "endless:Maze")
    assert (fault.code, fault.message.endswith("3 s, in its import")) == ("E103", True)


def test_observations_outside_their_space_are_a_warning(folder):
    assert found(folder, "foreign:Rounded") == []
    warning = only(folder, "foreign:Outside")
    assert (warning.code, "component 0 is 5" in warning.message) == ("W208", True)
    assert found(folder, "foreign:Outside", "} # ppoc: allow W208\nnetworks: {") == []


def test_the_others_of_a_folder_are_reported(folder):
    names = ["exits", "Good", "crashes", "forks"]
    paths = [spec(folder, f"foreign:{name}", name=f"{name}.yaml") for name in names]
    reports = check_all(paths, trust=True)
    assert [report.failed for report in reports] == [True, False, True, True]
    assert [len(report.found) for report in reports] == [1, 0, 1, 1]


def test_a_process_of_many_specs_that_is_killed_costs_no_report(folder, monkeypatch):
    (folder / "foreign.py").write_text(KILLS)
    monkeypatch.setattr(batch.os, "cpu_count", lambda: 2)
    monkeypatch.setenv("NOT_THIS_PROCESS", str(os.getpid()))
    names = [f"{number:02}.yaml" for number in range(2 * batch.PER_PROCESS)]
    paths = [spec(folder, "CartPole-v1", name=name) for name in names]
    wrong = spec(folder, "foreign:Maze", name=names[3])
    reports = check_all(paths, trust=True)
    assert [report.path for report in reports] == paths
    assert [report.path for report in reports if report.found] == [wrong]


KILLS = """\
import os, signal
if str(os.getppid()) != os.environ["NOT_THIS_PROCESS"]:
    os.kill(os.getppid(), signal.SIGKILL)
Maze = 0
"""


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", ""),
        (", options: {mask: [1, 1, 0]}", "3 entries, not 4"),
        (", options: {mask: [0]}", "neither action_masks() nor"),
        (", options: {choices: [2, 3], mask: [1, 0, 1, 0, 1]}", ""),
    ],
)
def test_random_steps_keep_to_masks(folder, more, words):
    diagnostics = found(folder, "foreign:Masked", f", action_masks: true{more}")
    assert [(d.code, words in d.message) for d in diagnostics] == [("E123", True)] * bool(words)


def test_a_child_answers_in_memory_of_bounded_size():
    assert isolation.isolated(lambda desk: desk.answer(b"1")).answer == b"1"
    large = isolation.isolated(lambda desk: desk.answer(bytes(isolation.SHARED_BYTES)))
    assert (large.answer, "too long" in large.ended) == (None, True)
    assert isolation.isolated(lambda desk: None).answer is None


def test_without_a_fork_the_look_is_in_this_process(monkeypatch, folder):
    monkeypatch.delattr(os, "fork")
    assert found(folder, "CartPole-v1") == []


def test_a_class_or_function_beside_the_spec_is_an_environment(folder):
    for name, size in (("Good", 3), ("function", 4), ("Both", 7)):
        compiled = compile_spec(resolve(spec(folder, f"foreign:{name}")), trust=True)
        assert compiled.plan.facts.shape == (size,)
        assert compiled.plan.facts.code_folders == (str(folder),)
        assert "CODE_FOLDERS = (" in compiled.module
        code = f'ENV_ID = "foreign:{name}"' in compiled.module
        assert (code, "ENV_PACKAGE" in compiled.module) == (name != "Both", name == "Both")
        again = folder / "spec.lock.yaml"
        again.write_text(compiled.lock)
        assert compile_spec(resolve(again), trust=True).module == compiled.module
    wider = compile_spec(resolve(spec(folder, "foreign:Good", ", options: {size: 5}")), trust=True)
    assert wider.plan.facts.shape == (5,)


def test_code_is_found_beside_the_file_that_names_it(folder):
    (folder / ".git").mkdir()  # within which a spec may extend another
    (folder / "inner").mkdir()
    spec(folder, "foreign:Good", name="base.yaml")
    (folder / "inner" / "spec.yaml").write_text("extends: ../base.yaml\n# ppoc: allow W212\n")
    assert check(folder / "inner" / "spec.yaml", trust=True).found == []
    other = spec(folder, "CartPole-v1", name="other.yaml")
    assert check(other, ["env.id='foreign:Good'"], trust=True).found == []


def test_a_lock_compiles_to_one_module_wherever_its_code_is_found(folder, monkeypatch):
    compiled = compile_spec(resolve(spec(folder, "foreign:Good")), trust=True)
    lock = folder / "spec.lock.yaml"
    lock.write_text(compiled.lock)
    monkeypatch.syspath_prepend(str(folder))
    assert compile_spec(resolve(lock), trust=True).module == compiled.module
    monkeypatch.setenv("PPOC_TRUST", "foreign")  # of which no folder is part
    assert "CODE_FOLDERS" not in compile_spec(resolve(lock)).module
    of_no_code = compile_spec(resolve(spec(folder, "CartPole-v1"))).lock
    lock.write_text(f"{of_no_code}  code_folders: ['/planted']\n")
    assert "planted" not in compile_spec(resolve(lock), trust=True).module


def test_a_module_on_the_path_is_not_noted(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    compiled = compile_spec(resolve(spec(folder, "foreign:Good")), trust=True)
    assert "CODE_FOLDERS" not in compiled.module
    assert "code_folders" not in compiled.lock


def test_without_trust_nothing_beside_the_spec_is_imported(folder, monkeypatch):
    (folder / "planted.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    assert only(folder, "planted:Maze", trust=False).code == "E119"
    monkeypatch.setenv("PPOC_TRUST", "planted")  # the package of this name, wherever Python has it
    assert "no module `planted`" in only(folder, "planted:Maze", trust=False).message
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import gymnasium\nimport a_package_that_nobody_has\n", "maze.py:2"),
        ("from os import no_such_name\n", "maze.py:1"),
        ("def f(:\n", "maze.py:1"),
        ("\n\nraise SystemExit(0)\n", "maze.py:3"),
        ("import json\njson.loads('{')\n", "maze.py:2"),
    ],
)
def test_an_error_within_a_module_is_shown_at_its_line(folder, text, words):
    (folder / "maze.py").write_text(text)
    for env_id, more, code in (
        ("maze:Maze", "", "E103"),
        ("CartPole-v1", ", wrappers: ['maze:Shaped']", "E119"),
    ):
        fault = only(folder, env_id, more)
        assert (fault.code, words in fault.message, words in fault.help) == (code, True, True)
        assert "pip install" not in fault.message + fault.help


def test_only_packages_that_ppoc_knows_are_told_to_be_installed(folder, monkeypatch):
    assert "pip install" not in only(folder, "no_such_module:Maze-v0").help
    monkeypatch.setitem(making.PACKAGES, "no_such_package", r"^Nowhere-v0$")
    assert "`pip install no-such-package`" in only(folder, "Nowhere-v0").help
    monkeypatch.setitem(making.PACKAGES, "maze", r"^Inside-v0$")
    monkeypatch.syspath_prepend(str(folder))
    (folder / "maze.py").write_text("import another_missing_one\n")
    assert "pip install" not in only(folder, "Inside-v0").help


def test_names_that_are_no_environment(folder):
    for name, words in (
        ("number", "of the type int"),
        ("Goood", "has no `Goood`"),
        ("OfItsOwn", "must inherit from the gymnasium.Env"),
    ):
        fault = only(folder, f"foreign:{name}")
        assert (fault.code, words in fault.message) == ("E103", True)
    assert "`Good`" in only(folder, "foreign:Goood").help


@pytest.mark.parametrize(
    ("wrappers", "words"),
    [
        ("[{FrameSkip: {skip: 0}}]", "cannot be 0"),
        ("[{FrameSkip: {skip: -1}}]", "cannot be -1"),
        ("[{FrameSkip: {skip: 2.5}}]", "cannot be 2.5"),
        ("[{FrameSkip: {skip: true}}]", "cannot be True"),
        ("[FrameSkip]", "needs `skip`"),
        ("[{FrameSkip: {skip: 2, frames: 2}}]", "takes no `frames`"),
        ("[{EpisodicLife: {lives: 3}}]", "takes no `lives`"),
        ("[EpisodicLife]", "needs `lives` in the info"),
        ("[FireReset]", "is for Atari games"),
        ("[{MaskVelocity: {which: 1}}]", "takes no `which`"),
        ("[TimeLimit]", "missing a required argument: 'max_episode_steps'"),
        ("[{TimeLimit: {steps: 3}}]", "does not take these arguments"),
        ("[NumpyToTorch]", "needs a package that is not installed: array_api_compat"),
        ("['os:getpid']", "does not take these arguments: too many positional"),
        ("['builtins:repr']", "returns str, which is no environment"),
    ],
)
def test_wrappers_that_do_not_fit(folder, wrappers, words):
    if "NumpyToTorch" in wrappers and importlib.util.find_spec("array_api_compat"):
        pytest.skip("what this wrapper needs is installed")
    fault = only(folder, "CartPole-v1", f", wrappers: {wrappers}")
    assert (fault.code, words in fault.message) == ("E122", True), fault.message
    assert fault.help


def test_velocities_of_other_environments_are_not_known(folder):
    fault = only(folder, "Acrobot-v1", ", wrappers: [MaskVelocity]")
    assert (fault.code, "CartPole-v1" in fault.help) == ("E122", True)
    assert found(folder, "CartPole-v1", ", wrappers: [MaskVelocity, {FrameSkip: {skip: 2}}]") == []


def test_the_compiler_knows_the_wrappers_of_the_runtime():
    from ppoc.runtime.envs import wrappers

    assert tuple(VELOCITIES) == WITH_VELOCITIES
    assert all(hasattr(wrappers, name) for name in OWN_WRAPPERS)


def test_a_body_that_ends_its_process_is_one_diagnostic(folder):
    (folder / "bodies.py").write_text("import os\ndef body(shape):\n    os._exit(0)\n")
    text = (
        "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"
        "networks: {actor: {body: custom, code: 'bodies:body'}, "
        "critic: {share: body, layers: []}}\n"
    )
    (folder / "spec.yaml").write_text(text)
    with pytest.raises(SpecError) as error:
        compile_spec(resolve(folder / "spec.yaml"), trust=True)
    (fault,) = error.value.diagnostics
    assert (fault.code, "exit code 0" in fault.message, fault.span.line) == ("E117", True, 4)
    assert Path(fault.span.source).name == "spec.yaml"
