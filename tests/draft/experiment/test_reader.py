"""Experiments in English: whose is what, what nobody said, and what is no experiment."""

import contextlib
import time

import pytest

from ppoc.compiler.resolve import resolve_text
from ppoc.draft.compose import compose
from ppoc.draft.engines import read_offline
from ppoc.draft.text.claims import RequestError

ACCEPTED = [
    "Compare PPO with and without an entropy bonus on Hopper over five seeds, "
    "one million steps each",
    "Compare PPO with and without an entropy bonus on Hopper, five seeds, a million steps each",
]


def drafted(request):
    return compose(read_offline(request))


def values(request):
    return {value.path: value.value for value in drafted(request).values}


def notes(request):
    return {note.words: f"{note.kind}: {note.text}" for note in drafted(request).notes}


@pytest.mark.parametrize("request_", ACCEPTED)
def test_a_comparison_is_an_experiment(request_):
    draft = drafted(request_)
    spec = draft.resolved.spec
    assert (spec.kind, spec.seeds) == ("experiment", 5)
    members = draft.resolved.members
    assert len(members) == 10
    assert {m.resolved.spec.training.total_steps for m in members} == {1_000_000}
    assert {m.resolved.spec.env.id for m in members} == {"Hopper-v5"}
    assert {m.setting: m.resolved.spec.losses.entropy.beta for m in members} == {
        "with-entropy": 0.01,
        "without-entropy": 0.0,
    }
    assert draft.notes == []
    assert resolve_text(draft.text, "experiment.yaml").warnings == []


def test_a_value_that_nobody_said_is_a_default():
    draft = drafted(ACCEPTED[0])
    by_path = {value.path: value for value in draft.values}
    assert by_path["variants.with-entropy.losses.entropy.beta"].origin == "default"
    assert by_path["compare.baseline"].origin == "default"
    assert by_path["base.training.total_steps"].words == "one million steps"
    said = drafted("PPO on Hopper with and without an entropy bonus of 0.02")
    by_path = {value.path: value for value in said.values}
    assert by_path["variants.with-entropy.losses.entropy.beta"].origin == "request"
    assert by_path["variants.with-entropy.losses.entropy.beta"].value == 0.02
    assert by_path["variants.without-entropy.losses.entropy.beta"].value == 0.0


@pytest.mark.parametrize(
    ("request_", "names"),
    [
        ("PPO vs TRPO on Hopper", ["ppo", "trpo"]),
        ("compare tanh, relu and elu for PPO on Hopper", ["tanh", "relu", "elu"]),
        ("PPO on Hopper with reward normalisation and without", ["with-reward", "without-reward"]),
        (
            "PPO with 8 envs and 2 epochs vs PPO with 16 envs and 4 epochs on Hopper",
            ["envs-8-epochs-2", "envs-16-epochs-4"],
        ),
        (
            "Ablate entropy, value clipping and advantage normalisation in PPO on CartPole",
            ["full", "without-entropy", "without-value-clip", "without-advantage-normalisation"],
        ),
        (
            "Variant small: two layers of 32. Variant plain: nothing is changed. PPO on CartPole",
            ["small", "plain"],
        ),
        (
            "PPO and A2C on CartPole, with and without an entropy bonus",
            ["with-entropy-ppo", "with-entropy-a2c", "without-entropy-ppo", "without-entropy-a2c"],
        ),
        ("does a GRU help PPO on CartPole?", ["with-gru", "without-gru"]),
        ("Compare ppo/hopper and trpo/halfcheetah on Walker2d", ["ppo", "trpo"]),
    ],
)
def test_variants_have_names_of_the_field(request_, names):
    found = list(drafted(request_).resolved.spec.variants)
    assert [name[: len(want)] for name, want in zip(found, names, strict=True)] == names


@pytest.mark.parametrize(
    "request_",
    [
        "PPO on CartPole with seed 5",
        "train PPO on Hopper and evaluate 10 episodes",
        "PPO on Hopper with lr 3e-4",
        "PPO against the wall, on CartPole",
        "PPO on CartPole, 16 envs, 128 steps each",
        "use TRPO rather than PPO on Hopper",
        "relu instead of tanh, PPO on Hopper",
        "PPO on Hopper with gamma 0.9, no wait, make that 0.99",
        "PPO on Hopper, clip annealed from 0.2 to 0",
        "can we try a smaller clip, like 0.1, with PPO on Hopper",
        "PPO with lr 3e-4 for the actor and 1e-3 for the critic on Hopper",
        "PPO on CartPole, lr between the usual and nothing",
        "PPO on CartPole with one seed",
    ],
)
def test_one_run_stays_one_run(request_):
    assert drafted(request_).resolved.kind.name == "control"


@pytest.mark.parametrize(
    ("request_", "path", "value"),
    [
        (
            "PPO on CartPole, lr between 1e-5 and 1e-2",
            "search.space.optimizer.actor.lr",
            {"log": [1e-5, 0.01]},
        ),
        (
            "tune the number of epochs from 1 to 20 of PPO on CartPole",
            "search.space.update.epochs",
            {"int": [1, 20]},
        ),
        (
            "search gamma between 0.9 and 0.99, PPO on CartPole",
            "search.space.advantage.gamma",
            {"range": [0.9, 0.99]},
        ),
        (
            "vary networks.actor.activation over [tanh, relu] for PPO on CartPole",
            "vary.networks.actor.activation",
            ["tanh", "relu"],
        ),
        ("PPO on CartPole over 4 seeds with 90% intervals", "compare.confidence", 0.9),
        ("PPO vs A2C on CartPole, at most 40 runs", "budget.runs", 40),
        ("PPO vs A2C on CartPole, 90 minutes at most", "budget.hours", 1.5),
        ("PPO vs A2C on CartPole, 5M steps in total", "budget.steps", 5_000_000),
        ("PPO vs A2C on CartPole on slurm", "engine.name", "slurm"),
        ("PPO vs A2C on CartPole, 4 jobs at a time", "jobs", 4),
        ("PPO on CartPole, seeds 3-6", "seeds", [3, 4, 5, 6]),
        ("PPO on Pendulum, 3 seeds, threshold of -200", "compare.threshold", -200),
        ("PPO vs TRPO vs A2C on CartPole, TRPO is the baseline", "compare.baseline", "trpo"),
        ("PPO on Hopper, Walker2d and Ant", "tasks", ["Hopper-v5", "Walker2d-v5", "Ant-v5"]),
    ],
)
def test_what_is_said_of_the_whole_is_read(request_, path, value):
    assert values(request_)[path] == value


def test_steps_in_total_are_a_budget_and_each_are_a_runs():
    total = values("PPO vs A2C on CartPole, 2M steps in total")
    assert (total["budget.steps"], total["base.training.total_steps"]) == (2_000_000, 100_000)
    each = values("PPO vs A2C on CartPole, 2M steps each")
    assert each["base.training.total_steps"] == 2_000_000
    assert "budget.steps" not in each


def test_a_question_is_kept_in_its_own_words():
    asked = values("Hey! Does entropy help PPO on Hopper? Use 3 seeds.")
    assert asked["question"] == "Does entropy help PPO on Hopper?"
    assert "question" not in values("could you compare PPO with TRPO on Hopper?")
    assert "question" not in values(ACCEPTED[0])


def test_nothing_is_dropped_in_silence():
    found = notes("PPO vs TRPO on Hopper, 17 widgets, with a transformer, seeds 5")
    assert "question" in found["17"]
    assert "no attention" in found["transformer"]
    assert "say `seed 5`" in found["seeds 5"]
    assert (
        "question: how many seeds"
        in notes("PPO on Hopper, several seeds, lr 1e-3, 1e-4")["several seeds"]
    )


def test_what_does_not_fit_all_variants_is_theirs_alone():
    draft = drafted("PPO vs CEM on CartPole, 3 seeds")
    spec = draft.resolved.spec
    assert list(spec.variants) == ["ppo", "cem"]
    assert {m.resolved.spec.training.total_steps for m in draft.resolved.members} == {100_000}
    assert draft.notes == []


def test_numbers_that_do_not_fit_are_moved_in_a_grid_too():
    draft = drafted("PPO on CartPole, minibatches of 32, 64 and 100")
    assert draft.resolved.spec.vary == {"update.minibatch_size": [32, 64, 128]}
    assert [note.kind for note in draft.notes] == ["adapted"]


def test_what_the_language_refuses_is_left_out():
    draft = drafted("PPO on CartPole, gamma 0.9, 0.99 and 1.7, 3 seeds")
    assert draft.resolved.spec.vary == {"advantage.gamma": [0.9, 0.99]}
    assert [note.words for note in draft.notes] == ["1.7"]


def test_hostile_text_is_data():
    for text in (
        "PPO vs TRPO on Hopper {{ 7 * 7 }} # ppoc: allow W203",
        'PPO vs TRPO on Hopper. The question is "a: b\n- !!python/object:os.system"',
        "Variant a: !!python/object. Variant trust: --trust. PPO on Hopper",
        "vary env.id over [!!python/object/apply:os.system ['x']], PPO vs TRPO on Hopper",
        "PPO vs TRPO on Hopper \x00\x1b[2J\u202e \ud800",
    ):
        draft = drafted(text)
        assert resolve_text(draft.text, "experiment.yaml").spec == draft.resolved.spec
        assert all(c.isprintable() or c == "\n" for c in draft.text)


def test_it_works_over_learning_from_human_feedback():
    spec = drafted("RLHF on gpt2 with KL 0.05 and 0.2, 3 seeds").resolved.spec
    assert spec.vary == {"ppo.kl.beta": [0.05, 0.2]}
    assert spec.base["kind"] == "rlhf"
    assert spec.seeds == 3


@pytest.mark.parametrize(
    ("text", "vary"),
    [
        ("Try 0.9, 0.95 and 1, 10 seeds", [0.9, 0.95, 1.0]),
        ("With 0.9 or 0.95; 1M steps each", [0.9, 0.95]),
        ("Values: [0.8, 0.9, 1.0]", [0.8, 0.9, 1.0]),
    ],
)
def test_values_belong_to_the_quantity_that_a_question_names(text, vary):
    draft = drafted(f"Does GAE lambda matter for PPO on Walker2d and Hopper? {text}")
    spec = draft.resolved.spec
    assert spec.vary == {"advantage.lambda": vary}
    assert spec.variants == {}
    assert spec.tasks == ["Walker2d-v5", "Hopper-v5"]
    assert spec.question == "Does GAE lambda matter for PPO on Walker2d and Hopper?"
    assert draft.notes == []
    assert spec.seeds == (10 if "seeds" in text else 5)


def test_values_of_one_of_several_quantities_are_a_guess_unless_usual_for_one_alone():
    draft = drafted("Do GAE lambda and gamma matter for PPO on CartPole? Try 0.9 and 0.95")
    assert draft.resolved.spec.vary == {"advantage.gamma": [0.9, 0.95]}
    assert any(note.text.startswith("values of what?") for note in draft.notes)
    draft = drafted("Do GAE lambda and the learning rate matter on CartPole? Try 1e-4 and 1e-3")
    assert draft.resolved.spec.vary == {"optimizer.actor.lr": [1e-4, 1e-3]}
    assert not any(note.text.startswith("values of what?") for note in draft.notes)


def test_values_with_a_quantity_of_their_own_keep_it():
    draft = drafted("Does GAE lambda matter for PPO on CartPole? Try learning rates 1e-4 and 1e-3")
    assert draft.resolved.spec.vary == {"optimizer.actor.lr": [1e-4, 1e-3]}


@pytest.mark.parametrize(
    "words",
    ["PPO TRPO A2C ", "PPO and TRPO and A2C ", "PPO vs TRPO. ", "lr? try 0.1 and 0.2. ", "ppo "],
)
def test_a_page_of_repeated_names_is_soon_read_or_refused(words):
    began = time.process_time()
    with contextlib.suppress(RequestError):
        read_offline((words * 1000)[:4000])
    assert time.process_time() - began < 5  # about 1; once it was 27


def test_many_alternatives_in_a_long_request_are_refused_in_one_line():
    with pytest.raises(RequestError, match="compares 12 things in 4,000 characters"):
        read_offline(("PPO vs TRPO. " * 1000)[:4000])
