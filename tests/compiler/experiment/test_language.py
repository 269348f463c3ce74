"""Specs of `kind: experiment`: their layers, the places of mistakes in them and in their runs."""

import pytest

from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.resolve import examine, resolve_text
from ppoc.compiler.zoo import paths

HEAD = "ppoc: 1\nkind: experiment\nbase: ppo/cartpole\n"


def found(text, *overrides):
    """The problems of an experiment: code, line, message."""
    try:
        problems = resolve_text(text, "spec.yaml", overrides).warnings
    except SpecError as error:
        problems = error.diagnostics
    return [(d.code, d.span.line if d.span else None, d.message) for d in problems]


def value(member, path):
    spec = member.resolved.spec.model_dump(by_alias=True)
    for key in path.split("."):
        spec = spec[key]
    return spec


def test_changes_are_dotted_or_nested_and_know_greek_letters():
    text = HEAD + (
        "set: {advantage: {λ: 0.5}}\n"
        "variants:\n"
        "  one: {losses.policy.ε: 0.1, update: {epochs: 3}}\n"
        "  two: {advantage.γ: 0.9}\n"
        "seeds: [4]\n"
    )
    one, two = resolve_text(text, "spec.yaml").members
    assert (one.name, one.setting, one.task, one.seed) == (
        "one-CartPole-v1-seed-4",
        "one",
        "CartPole-v1",
        4,
    )
    values = [value(one, path) for path in ("losses.policy.epsilon", "update.epochs")]
    assert values == [0.1, 3]
    assert [value(m, "advantage.lambda") for m in (one, two)] == [0.5, 0.5]
    assert value(two, "advantage.gamma") == 0.9
    assert value(one, "training.seed") == 4
    assert one.resolved.origin(("update", "epochs")).label() == "spec.yaml:6"
    assert one.resolved.origin(("update", "minibatch_size")).label() == "cartpole.yaml:11"
    assert one.resolved.origin(("training", "seed")).label() == "spec.yaml:8"
    assert one.steps == 100_000


@pytest.mark.parametrize(
    "override",
    ["set.training.total_steps=2560", "set.training={total_steps: 2560}"],
)
@pytest.mark.parametrize(
    "written",
    ["set: {training.total_steps: 5120}", "set: {training: {total_steps: 5120}}"],
)
def test_an_override_wins_however_both_are_written(written, override):
    resolved = resolve_text(f"{HEAD}{written}\n", "spec.yaml", [override, "seeds=1"])
    assert [member.steps for member in resolved.members] == [2560]


def test_a_grid_is_overridden_by_its_keys():
    text = HEAD + "vary: {optimizer.actor.lr: [1e-4, 3e-4]}\nseeds: 1\n"
    (member,) = resolve_text(text, "s.yaml", ["vary.optimizer.actor.lr=[5e-4]"]).members
    assert value(member, "optimizer.actor.lr") == 5e-4
    assert member.setting == "lr=0.0005"


def test_variants_are_crossed_with_the_grid_the_tasks_and_the_seeds():
    text = HEAD + (
        "variants: {plain: {}, slow: {update.epochs: 3}}\n"
        "vary: {optimizer.actor.lr: [1e-4, 3e-4]}\n"
        "tasks: [CartPole-v1, Acrobot-v1]\nseeds: 2\n"
    )
    members = resolve_text(text, "spec.yaml").members
    assert len({member.name for member in members}) == 16
    assert [member.setting for member in members[:8:2]] == [
        "plain, lr=0.0001",
        "plain, lr=0.0003",
        "slow, lr=0.0001",
        "slow, lr=0.0003",
    ]
    assert [member.seed for member in members] == [1] * 8 + [2] * 8
    assert {member.resolved.spec.env.id for member in members} == {"CartPole-v1", "Acrobot-v1"}


def test_a_mistake_in_a_variant_names_it_and_its_line():
    text = HEAD + "variants:\n  plain: {}\n  wide: {networks.actor.hiden: [8]}\n"
    ((code, line, message),) = found(text)
    assert (code, line) == ("E010", 6)
    assert message == "in `wide`: unknown key `hiden` in `networks.actor`"


def test_a_mistake_that_all_settings_have_is_told_once_without_their_names():
    text = HEAD + "set: {update.epochs: 0}\nvary: {advantage.gamma: [0.9, 0.95, 0.99]}\n"
    assert found(text) == [("E012", 4, "`update.epochs` is 0")]


def test_mistakes_in_a_base_file_keep_their_places(tmp_path):
    (tmp_path / "base.yaml").write_text(
        "ppoc: 1\nalgorithm: ppo\nenv: {id: CartPole-v1}\nupdate: {epochs: -1}\n"
    )
    spec = tmp_path / "spec.yaml"
    spec.write_text("ppoc: 1\nkind: experiment\nbase: base.yaml\nvary: {advantage.γ: [0.9, 1.5]}\n")
    first, second = examine(spec).found
    assert (first.span.source, first.span.line) == (str(tmp_path / "base.yaml"), 4)
    assert first.span.via == "base of spec.yaml:3"
    assert (second.span.source, second.span.line) == (str(spec), 4)
    assert second.message == "in `gamma=1.5`: `advantage.gamma` is 1.5"


def test_a_base_that_cannot_be_read_is_told_once_a_place():
    text = HEAD.replace("ppo/cartpole", "nowhere.yaml")
    text += "variants: {a: {}, b: {update.epochs: 3}, c: {base: also.yaml}}\n"
    assert [(code, line) for code, line, _ in found(text)] == [("E301", 3), ("E301", 4)]


def test_a_missing_value_is_placed_at_the_base_whatever_lies_over_it():
    text = "ppoc: 1\nkind: experiment\nbase: {algorithm: ppo}\nseeds: [1, 2, 3]\n"
    assert found(text) == [("E013", 3, "`env` is missing")]


def test_a_base_file_is_found_before_one_of_the_zoo(tmp_path):
    (tmp_path / "ppo").mkdir()
    (tmp_path / "ppo" / "cartpole.yaml").write_text(
        "ppoc: 1\nalgorithm: ppo\nenv: {id: Acrobot-v1}\n"
    )
    spec = tmp_path / "spec.yaml"
    for base, task in (("ppo/cartpole.yaml", "Acrobot-v1"), ("ppo/cartpole", "CartPole-v1")):
        spec.write_text(f"ppoc: 1\nkind: experiment\nbase: {base}\nseeds: 3\n")
        assert {m.task for m in examine(spec).resolved.members} == {task}


def test_an_experiment_extends_another(tmp_path):
    (tmp_path / "first.yaml").write_text(HEAD + "set: {update.epochs: 3}\nseeds: 4\n")
    spec = tmp_path / "spec.yaml"
    spec.write_text("extends: first.yaml\nset: {update: {epochs: 5}}\n")
    members = examine(spec).resolved.members
    assert [value(member, "update.epochs") for member in members] == [5] * 4


def test_a_key_given_twice_in_one_text_is_told():
    text = HEAD + "set: {training.total_steps: 2560, training: {total_steps: 5120}}\n"
    assert found(text) == [("E303", 4, "`training.total_steps` is given twice")]


@pytest.mark.parametrize(
    ("wrong", "codes"),
    [
        ("seeds: [1, -1, 2.5]", {"E011", "E012"}),
        ("seeds: 0", {"E012"}),
        ("tasks: CartPole-v1", {"E011"}),
        ("variants: [a, b]", {"E011"}),
        ("variants: {'a b': {}}", {"E012"}),
        ("variants: {a: }", {"E011"}),
        ("vary: {x: {}}", {"E011"}),
        ("vary: {update.epochs: 3}", {"E011"}),
        ("set: {a..b: 1}", {"E012"}),
        ("engine: kubernetes", {"E014"}),
        ("search: {space: {update.epochs: {lgo: [1, 2]}}}", {"E010"}),
        ("search: {space: {x: {}}}", {"E308", "E010"}),
        ("search: {}", {"E013"}),
        ("base: {kind: experiment}", {"E003"}),
    ],
)
def test_a_wrong_value_is_told_and_nothing_fails(wrong, codes):
    assert {code for code, _, _ in found(f"{HEAD}{wrong}\n")} <= codes
    assert found(f"{HEAD}{wrong}\n")


def test_advice_on_runs_is_silenced_in_the_experiment():
    text = HEAD + "set: {training.total_steps: 10_000}\n"
    assert [code for code, _, _ in found(text)] == ["W101"]
    assert found(text.replace("10_000}", "10_000}  # ppoc: allow W101")) == []
    assert found(f"# ppoc: allow W101\n{text}") == []


def test_a_comparison_of_the_steps_alone_is_fair():
    assert found(HEAD + "vary: {training.total_steps: [51_200, 102_400]}\n") == []
    text = HEAD + "vary: {training.total_steps: [51_200, 102_400], update.epochs: [5, 10]}\n"
    assert found(text) == []


def test_scores_of_tasks_that_a_flag_leaves_out_are_right():
    text = HEAD + (
        "vary: {update.epochs: [5, 10]}\ntasks: [CartPole-v1, Acrobot-v1]\n"
        "compare: {scores: {Acrobot-v1: [-500, -80]}}\n"
    )
    assert found(text, "tasks=[CartPole-v1]") == []
    assert [code for code, _, _ in found(text.replace("Acrobot-v1: [", "Acrobat-v1: ["))] == [
        "E310"
    ]


def test_the_checks_of_a_search_are_those_of_its_ends():
    text = HEAD + (
        "search:\n  space:\n"
        "    advantage: {gamma: {range: [0.9, 1.5]}}\n"
        "    networks.actor.activation: {choice: [tanh, rleu]}\n"
        "    update.epochs: {range: [1, 10]}\n"
    )
    codes = [(code, line) for code, line, _ in found(text)]
    assert codes == [("E012", 6), ("E014", 7), ("E308", 8)]


def test_every_spec_of_the_zoo_is_a_base():
    for name in paths():
        text = f"ppoc: 1\nkind: experiment\nbase: {name}\nseeds: 3\n"
        codes = [code for code, _, _ in found(text)]
        assert not [code for code in codes if code not in ("E301",)], name
