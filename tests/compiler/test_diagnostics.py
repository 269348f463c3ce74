"""Problems of specs: each at its place and with a way out, all at once, fit for a terminal."""

import importlib.abc
import importlib.util
import sys
import tempfile
from pathlib import Path

import gymnasium
import pytest
from gymnasium.spaces import Box, Discrete, Sequence, Tuple

from ppoc.compiler.agent.env.backends import TENSOR_ENVIRONMENTS
from ppoc.compiler.agent.env.probe import probe
from ppoc.compiler.batch import check
from ppoc.compiler.front.diagnostics import Diagnostic, Span, SpecError, ordered, render, to_json
from ppoc.compiler.front.rules import rule
from ppoc.compiler.output.build import compile_spec
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.runtime.envs import classic_control

HEAD = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\n"


class Spaces(gymnasium.Env):
    """An environment that has little more than spaces."""

    def __init__(self, observations=None, actions=None, broken=False, closes=True):
        if broken:
            raise ValueError("no such maze")
        self.closes = closes
        self.observation_space = observations or Box(-1, 1, (3,))
        self.action_space = actions or Discrete(2)

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}

    def close(self):
        if not self.closes:
            raise RuntimeError("the window is gone")


SPACES = {
    "Series-v0": {"observations": Sequence(Discrete(2))},
    "Pair-v0": {"actions": Tuple((Discrete(2), Discrete(3)))},
    "Broken-v0": {"broken": True},
    "Plain-v0": {},
    "NoObservations-v0": {"observations": Box(-1, 1, (0,))},
    "NoActions-v0": {"actions": Box(-1, 1, (0,))},
    "Stubborn-v0": {"closes": False},
}
for name, kwargs in SPACES.items():
    if f"Ppoc{name}" not in gymnasium.registry:
        gymnasium.register(f"Ppoc{name}", entry_point=Spaces, kwargs=kwargs)


def env(name, extra=""):
    return f"ppoc: 1\nalgorithm: ppo\nenv: {{id: {name}{extra}}}\n"


def problems(text, *overrides):
    """The diagnostics of a spec, its environment probed."""
    try:
        return compile_spec(resolve_text(text, "spec.yaml", overrides)).warnings
    except SpecError as error:
        return error.diagnostics


@pytest.mark.parametrize(
    ("lines", "code", "column", "help"),
    [
        (
            "update: {rollout_steps: 1, minibatch_size: all}\nenv: {id: CartPole-v1, num_envs: 1}",
            "E109", 25, "larger minibatches",
        ),
        ("optimizer: {actor: {kl_target: 0.1}}", "E113", 32, "`schedule: adaptive`"),
        ("optimizer: {critic: {kl_target: 0.1}}", "E113", 33, "kl_target: null"),
        ("networks: {critic: null}\nadvantage: {estimator: q}", "E104", 24, "networks.critic"),
        ("losses: {value: {objective: (V-R)**2, clip: 1}}", "E201", 45, "clip: null"),
        (
            "update: {buffer: {clip: 2, importance: ratio}}\nadvantage: {lambda: 0}",
            "E115", 25, "importance: products",
        ),
        (
            "losses: {policy: {objective: score}}\nupdate: {buffer: {importance: ratio}}\n"
            "advantage: {lambda: 0}",
            "E115", 31, "an objective with `ratio`",
        ),
        (
            "advantage: {estimator: reward-to-go}\nnetworks: {critic: null}",
            "E111", 24, "sampling: episodes",
        ),
        ("networks: {actor: {action_scaling: bounds}}", "E124", 36, "remove"),
        (
            "env: {id: Pendulum-v1}\n"
            "networks: {actor: {distribution: beta, action_scaling: bounds}}",
            "E124", 56, "remove",
        ),
        ("env: {id: CartPole-v1, num_envs: 3}", "E102", 34, "2046, 2049"),
        ("update: {rollout_steps: 1000}", "E101", 25, "50, 100"),
        ("lambda: 0.9", "E010", 1, "belongs at `advantage.lambda`"),
        ("activation: relu", "E010", 1, "`networks.actor.activation` or `networks.critic.activat"),
    ],
)  # fmt: skip
def test_other_ways_to_the_same_code(lines, code, column, help):
    found = problems(
        f"ppoc: 1\nalgorithm: ppo\n{lines}\n" + "env: {id: CartPole-v1}\n" * ("env" not in lines)
    )
    assert [(d.code, d.span.column) for d in found if d.severity == "error"] == [(code, column)]
    assert help in found[0].help


def test_files_that_cannot_be_read(tmp_path):
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: caf\xe9".encode("latin-1"))
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * 2_000_000)
    expected = {tmp_path / "none.yaml": "E001", tmp_path: "E001", latin: "E001", large: "E004"}
    for path, code in expected.items():
        with pytest.raises(SpecError) as caught:
            resolve(path)
        assert [d.code for d in caught.value.diagnostics] == [code]


@pytest.mark.parametrize(
    ("override", "code"),
    [
        ("x", "E018"),
        (".".join("a" * 2000) + "=1", "E018"),
        ("extends=base.yaml", "E018"),
        ("lock={format: 1}", "E018"),
        ("=1", "E018"),
        ("a..b=1", "E018"),
        ("update.epochs[0]=1", "E018"),
        ("env=5", "E011"),
        ("env.id.foo=1", "E011"),
        ("update.epochs={", "E002"),
        ("update.epochs=", "E011"),
        ("update.epochs=0", "E012"),
        ("update.epoch=1", "E010"),
        ("training.seed=1.5", "E011"),
    ],
)
def test_overrides_that_are_wrong_point_at_the_flag(override, code):
    found = problems(HEAD, override)
    assert [d.code for d in found] == [code]
    assert found[0].span.source == f"-s {override}"
    assert 1 <= found[0].span.column <= len(f"-s {override}") + 1


def test_environments_that_cannot_be_made():
    for name, words in {
        "os:system-v0": "is not trusted",
        "GymV26Environment-v0": "is not trusted",  # imports a module that its options name
        "PpocBroken-v0": "no such maze",
        "PpocPair-v0": "actions of",
        "PpocSeries-v0": "observations of",
        "PpocNoObservations-v0": "observations of",
        "PpocNoActions-v0": "actions of",
    }.items():
        found = problems(env(name))
        assert len(found) == 1
        assert words in found[0].message
    wrong = problems(env("CartPole-v1", ", options: {nonsense: 1}, backend: gymnasium"))
    assert wrong[0].code == "E103"
    assert "nonsense" in wrong[0].message
    assert wrong[0].span.text[wrong[0].span.column - 1 :].startswith("{nonsense")


def test_an_environment_that_does_not_close_is_probed():
    assert problems(env("PpocStubborn-v0", ", max_episode_steps: 9")) == []


def test_an_environment_registered_late_is_found():
    assert [d.code for d in problems(env("PpocLate-v0"))] == ["E103"]
    gymnasium.register("PpocLate-v0", entry_point=Spaces, max_episode_steps=9)
    try:
        assert problems(env("PpocLate-v0")) == []
    finally:
        del gymnasium.registry["PpocLate-v0"]


def test_many_classic_control_tasks_are_stepped_as_tensors():
    assert classic_control.ENVIRONMENTS.keys() == TENSOR_ENVIRONMENTS
    for more, backend in (
        (", num_envs: 512", "torch"),
        (", num_envs: 256", "envpool"),
        (", num_envs: 512, options: {sutton_barto_reward: true}", "gymnasium"),
        (", backend: torch", "torch"),
    ):
        text = env("CartPole-v1", more)
        assert probe(resolve_text(text, "spec.yaml")).backend == backend
    found = problems(env("Ant-v5", ", backend: torch"))
    assert ([d.code for d in found], "MountainCar-v0" in found[0].message) == (["E107"], True)


def test_an_envpool_that_cannot_be_imported(monkeypatch):
    class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):
        def find_spec(self, name, path=None, target=None):
            return importlib.util.spec_from_loader(name, self) if name == "envpool" else None

        def exec_module(self, module):
            raise OSError("GLIBCXX_3.4.30 not found")

    monkeypatch.delitem(sys.modules, "envpool", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    resolved = resolve_text(env("CartPole-v1"), "spec.yaml")
    assert probe(resolved).backend == "gymnasium"
    found = problems(env("CartPole-v1", ", backend: envpool"))
    assert [d.code for d in found] == ["E107"]
    assert "GLIBCXX" in found[0].message


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("update: {minibatch_size: 0}", "E012"),
        ("env: {id: CartPole-v1, threads: 0}", "E012"),
        ("env: {id: CartPole-v1, threads: 1.5}", "E011"),
        ("env: {id: CartPole-v1, threads: fast}", "E014"),
    ],
)
def test_a_choice_or_a_number_is_one_problem(line, code):
    text = HEAD if line.startswith("update") else "ppoc: 1\nalgorithm: ppo\n"
    assert [d.code for d in problems(f"{text}{line}\n")] == [code]


@pytest.mark.parametrize("version", ["true", "'1'", "null", "0", "[1]"])
def test_the_version_is_the_number_one(version):
    assert [d.code for d in problems(HEAD.replace("1", version, 1))] == ["E015"]


def test_all_problems_at_once_in_order():
    text = HEAD + "update: {epochs: 0, epoch: 1}\nloss: 3\ntraining: {total_steps: x}\n"
    found = problems(text, "advantage.gamma=2")
    assert [d.code for d in found] == ["E012", "E010", "E010", "E011", "E012"]
    assert [d.span.line for d in found[:4]] == [4, 4, 5, 6]
    assert found[4].span.is_override


def codes(text, *overrides):
    return [d.code for d in check_text(text, *overrides).found]


def check_text(text, *overrides):
    """The report of `ppoc check`, which goes on where compiling stops."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(text)
        return check(path, overrides)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("update: {epochs: 0, minibatch_size: 60}", ["E012", "E101"]),
        ("name: a\nname: b\nx: !t 1\nupdate: {epochs: 0}", ["E003", "E010", "E006", "E012"]),
        ("extends: gone.yaml\nupdate: {epochs: 0}", ["E017", "E012"]),
        ("networks: {critic: null}\ntraining: {device: gpu}", ["E104", "E014"]),
        ("networks: {critic: {share: actor, layers: [0]}}", ["E108", "E012"]),
        ("optimizer: {actor: {schedule: adaptive}, critic: {lr: x}}", ["E113", "E011"]),
        ("evaluation: {episode: 3}\nnetworks: {critic: null}", ["E010", "E104"]),
    ],
)
def test_one_mistake_does_not_hide_another(lines, expected):
    assert codes(f"{HEAD}{lines}\n") == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # Were the wrong value replaced by a default, another check would object to that.
        ("update: {rollout_steps: -1, minibatch_size: 60}", ["E012"]),
        ("update: {rolout_steps: 60, minibatch_size: 60}", ["E010"]),
        ("networks: {critic: 3}\nadvantage: {estimator: return}", ["E011", "E111"]),
        ("advantage: {estimator: monte-carlo}\nnetworks: {critic: null}", ["E014"]),
        ("networkz: {critic: null}\nadvantage: {estimator: return}", ["E010"]),
        ("extends: gone.yaml\nnetworks: {critic: null}", ["E017"]),
    ],
)
def test_one_mistake_makes_no_other(lines, expected):
    assert codes(f"{HEAD}{lines}\n") == expected


def test_a_wrong_environment_is_told_beside_other_mistakes():
    text = "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPol-v1}\nupdate: {epochs: 0}\n"
    assert codes(text) == ["E103", "E012"]
    text = text.replace("CartPol-v1", "Pendulum-v1")
    assert codes(text) == ["E012"]  # advice is for specs that are right
    assert codes(text.replace("Pendulum-v1", "Pendulum-v1, num_envs: 0")) == ["E012", "E012"]


@pytest.mark.parametrize("path", ["ppoc", "name", "algorithm", "env", "env.id", "env.num_envs"])
def test_a_required_value_that_is_wrong_does_not_stop_the_checks(path):
    assert "E104" in codes(HEAD + "networks: {critic: null}\n", f"{path}=[]")


def test_a_bug_in_a_rule_is_not_taken_for_a_wrong_spec(monkeypatch):
    @rule("E101", "update.epochs")
    def broken(resolved):
        yield resolved.spec.nonsense

    monkeypatch.setattr("ppoc.compiler.agent.kind.AgentKind.rules", (broken,))
    assert codes(HEAD + "update: {epochs: 0}\n") == ["E012"]
    for text in (HEAD, HEAD + "update: {minibatch_size: 0}\n"):
        with pytest.raises(AttributeError):
            codes(text)


def test_places_say_how_the_spec_comes_to_them(tmp_path):
    (tmp_path / "base.yaml").write_text(HEAD + "update: &u {epochs: 0}\n")
    (tmp_path / "middle.yaml").write_text("\nextends: base.yaml\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "extends: middle.yaml\nupdate: &u {rollout_steps: 0}\nx: *u\nadvantage: {<<: *u}\n"
    )
    found = {(d.code, d.span.label()): d.span.via for d in check(spec, probe=False).found}
    assert found == {
        ("E012", "base.yaml:4"): "extended by middle.yaml:2",
        ("E012", "spec.yaml:2"): "",
        ("E010", "spec.yaml:3"): "",
        ("E010", "spec.yaml:2"): "used as *u on line 4",
    }
    report = check(spec, probe=False)
    assert "base.yaml:4:21 (extended by middle.yaml:2)\n" in render(report.found)


def test_a_check_points_at_what_the_spec_says_rather_than_a_preset():
    report = check_text(HEAD + "networks: {critic: null}\n")
    assert [(d.code, d.span.line, d.span.column) for d in report.found] == [("E104", 4, 20)]


def test_fields_without_words_of_their_own_are_explained_too(monkeypatch):
    """A field is added in the language alone; what is said of it then is plain, but is said."""
    monkeypatch.setattr("ppoc.compiler.front.validate.PATTERNS", {})
    monkeypatch.setattr("ppoc.compiler.front.validate.EXAMPLES", {})
    (found,) = problems(HEAD + "name: a b\n")
    assert found.help.startswith("it must be text of the form ^[A-Za-z0-9]")
    (found,) = problems("ppoc: 1\nalgorithm: ppo\nenv: {num_envs: 1}\n")
    assert found.help == "add `id: …`"
    assert codes(HEAD + "networks: 3\n") == ["E011"]


def test_a_problem_of_an_inherited_value_is_told_once():
    found = problems(HEAD + "optimizer: {actor: {lr: -1}}\n")
    assert [(d.code, d.message) for d in found] == [("E012", "`optimizer.actor.lr` is -1")]


@pytest.mark.parametrize(
    ("key", "help"),
    [
        ("n_steps", "update.rollout_steps"),
        ("learning_rate", "optimizer.actor.lr"),
        ("ent_coef", "losses.entropy.beta"),
        ("gamma", "advantage.gamma"),
        ("minibatch_size", "update.minibatch_size"),
        ("trainning", "did you mean `training`"),
        ("extend", "did you mean `extends`"),
        ("update.epochs", "write `update: {epochs: …}`"),
        ("networks.actor.layers", "write `networks: {actor: {layers: …}}`"),
    ],
)
def test_names_of_other_libraries_and_places_are_known(key, help):
    assert help in problems(f"{HEAD}{key}: 1\n")[0].help


def test_a_comment_silences_a_warning():
    line = "training: {total_steps: 100}"
    assert [d.code for d in problems(f"{HEAD}{line}\n")] == ["W101"]
    assert problems(f"{HEAD}{line}  # ppoc: allow W101\n") == []
    assert problems(f"# ppoc: allow W101\n{HEAD}{line}\n") == []
    assert [d.code for d in problems(f"{HEAD}{line}  # ppoc: allow W999\n")] == ["W101"]


RENDERED = """\
error[E010]: unknown key `epsilom` in `losses.policy`
 --> spec.yaml:4:19
  |
4 | losses: {policy: {epsilom: 0.2}}
  |                   ^^^^^^^
  = help: did you mean `epsilon`?"""


def test_rendering():
    found = problems(f"{HEAD}losses: {{policy: {{epsilom: 0.2}}}}\n")
    assert render(found) == RENDERED
    assert "\033[1;31merror[E010]" in render(found, color=True)
    flag = render(problems(HEAD, "update.epochs=0"))
    assert " --> -s update.epochs=0\n" in flag
    assert "  |                  ^\n" in flag
    assert render([Diagnostic("E001", "gone", help="look")]) == "error[E001]: gone\n  = help: look"
    assert to_json(found)[0] | {"why": "", "help": ""} == {
        "code": "E010", "severity": "error", "message": "unknown key `epsilom` in `losses.policy`",
        "source": "spec.yaml", "line": 4, "column": 19, "end_column": 26, "via": "",
        "why": "", "help": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        r'"\e[31mx": 3',
        r'algorithm: "\e]0;title\a"',
        "name: !a%1b%5b31m x",
        "naem: \N{RIGHT-TO-LEFT OVERRIDE}x",
    ],
)
def test_a_spec_cannot_steer_the_terminal(line):
    text = f"ppoc: 1\n{line}\nenv: {{id: CartPole-v1}}\n"
    shown = render(problems(text))
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_a_flag_that_is_not_utf8_can_be_shown():
    shown = render(problems(HEAD, "name=\udcff"))
    assert r"-s name=\udcff" in shown
    shown.encode()


def test_a_long_line_is_shown_around_the_place():
    text = HEAD + "env2: " + "x" * 10_000 + "\nnetworks: {actor: {" + " " * 5_000 + "layer: [8]}}\n"
    first, second = render(problems(text)).split("\n\n")
    assert max(map(len, (first + second).split("\n"))) < 300
    row, caret = second.split("\n")[3:5]
    assert row[caret.index("^") : caret.rindex("^") + 1] == "layer"
    assert first.split("\n")[3].endswith("x…")


def test_diagnostics_are_told_once_and_in_order():
    def at(line, column):
        return Diagnostic("E010", "x", Span("a.yaml", line, column, column + 1, "text"))

    assert ordered([at(3, 1), at(1, 9), at(1, 2), at(3, 1)]) == [at(1, 2), at(1, 9), at(3, 1)]
