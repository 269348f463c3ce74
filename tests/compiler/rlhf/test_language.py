"""Specs of `kind: rlhf`: their layers, places of mistakes, and locks."""

from pathlib import Path

import pytest

from ppoc.compiler.agent.resolved import as_agent
from ppoc.compiler.difference import differences
from ppoc.compiler.front.diagnostics import SpecError
from ppoc.compiler.front.program import Program
from ppoc.compiler.output.lock import lock_text
from ppoc.compiler.resolve import resolve, resolve_text
from ppoc.compiler.rlhf.build import values_of
from ppoc.compiler.rlhf.resolved import RlhfResolved

HEAD = """\
ppoc: 1
kind: rlhf
model: {config: {layers: 2}}
data: {demonstrations: demos.jsonl, preferences: prefs.jsonl}
"""


def problems(text, *overrides):
    try:
        return resolve_text(text, "spec.yaml", overrides).warnings
    except SpecError as error:
        return error.diagnostics


def test_layers_and_origins(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "base.yaml").write_text(HEAD + "ppo: {kl: {β: 0.2}, epochs: 2}\n")
    path = tmp_path / "mine.yaml"
    path.write_text("extends: base/base.yaml\nppo: {epochs: 3}\ndata: {preferences: own.jsonl}\n")
    found = resolve(path, ["ppo.advantage.λ=0.9", "data.prompts=p.jsonl"])
    assert isinstance(found, RlhfResolved)
    ppo = found.spec.ppo
    assert (ppo.kl.beta, ppo.epochs, ppo.advantage.lambda_) == (0.2, 3, 0.9)
    labels = {
        ("ppo", "kl", "beta"): "base.yaml:5",
        ("ppo", "epochs"): "mine.yaml:2",
        ("ppo", "minibatch_size"): "default",
        ("ppo", "advantage", "lambda"): "-s ppo.advantage.λ=0.9",
        ("name",): "the file's name",
    }
    assert {key: found.origin(key).label() for key in labels} == labels
    # A path is relative to the file that says it; on the command line, to the current folder.
    assert found.file("data", "demonstrations") == tmp_path / "base" / "demos.jsonl"
    assert found.file("data", "preferences") == tmp_path / "own.jsonl"
    assert found.file("data", "prompts") == Path.cwd() / "p.jsonl"


def test_a_lock_has_every_value_its_origin_and_absolute_paths(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD.replace("{layers: 2}}", "{layers: 2}, tokenizer: {bpe: 300}}"))
    found = resolve(path)
    text = lock_text(found, Program("", values_of(found, {}), {"torch": "2"}))
    lock = tmp_path / "elsewhere" / "spec.lock.yaml"
    lock.parent.mkdir()
    lock.write_text(text)
    again = resolve(lock)
    assert again.is_lock
    assert again.spec.model_copy(update={"lock": None, "data": found.spec.data}) == found.spec
    assert again.file("data", "demonstrations") == tmp_path / "demos.jsonl"
    assert lock_text(again, Program("", values_of(again, {}), {"torch": "3"})) == text
    assert "    beta: 0.05  # default\n" in text
    assert '  tokenizer: {"bpe": 300}  # spec.yaml:3\n' in text
    assert [row.path for row in differences(found, again)] == [
        "data.demonstrations",
        "data.preferences",
    ]


@pytest.mark.parametrize(
    ("lines", "code", "help"),
    [
        ("kind: rlfh", "E014", "did you mean `rlhf`?"),
        ("kind: [rlhf]", "E014", "control, rlhf"),
        ("env: {id: CartPole-v1}", "E010", "the keys here are"),
        ("algorithm: ppo", "E010", "the keys here are"),
        ("ppo: {kl_coef: 0.1}", "E010", "ppoc calls it `ppo.kl.beta`"),
        ("ppo: {kl: {bta: 0.1}}", "E010", "did you mean `beta`?"),
        ("ppo: {generation: {top_p: 0}}", "E012", "more than 0"),
        ("stages: [dpo]", "E014", "sft, reward, ppo"),
        ("stages: []", "E012", "at least 1 items"),
        ("stages: [sft, sft]", "E402", "stages: [sft]"),
        ("stages: [reward, ppo]", "E403", "start: {policy"),
        ("stages: [sft, ppo]", "E403", "start: {reward"),
        ("start: {policy: runs/a-1}", "E403", "remove it"),
        ("model: {}", "E404", "such as `id: gpt2`"),
        ("model: {id: gpt2, config: {}}", "E404", "keep one"),
        ("model: {config: {}, revision: main}", "E404", "remove it"),
        ("model: {config: {architecture: llama, heads: 128}}", "E404", "width such as 256"),
        ("model: {config: {}, tokenizer: {bpe: 10}}", "E012", "258"),
        ("model: {config: {}, tokenizer: {unigram: 300}}", "E010", "`bpe`"),
        ("ppo: {generation: {max_new_tokens: 65}}", "E405", "by 1"),
        ("ppo: {minibatch_size: 60}", "E101", "32, 64"),
        ("ppo: {losses: {policy: {objective: rato * A}}}", "E201", "did you mean `ratio`?"),
        ("ppo: {losses: {policy: {objective: A}}}", "E201", "constant"),
        ("ppo: {losses: {value: {objective: (V-R)**2, clip: 1}}}", "E201", "clip: null"),
        ("ppo: {losses: {policy: {parameters: {kl: 1}}}}", "E201", "a name of its own"),
    ],
)
def test_mistakes_are_told_with_a_way_out(lines, code, help):
    key = lines.partition(":")[0]
    kept = [line for line in HEAD.splitlines() if not line.startswith(f"{key}:")]
    found = problems("\n".join([*kept, lines]) + "\n")
    assert [d.code for d in found] == [code]
    assert help in found[0].help
    assert found[0].span.line == len(kept) + 1


def test_one_mistake_does_not_hide_another():
    text = HEAD + "ppo: {minibatch_size: 60, epochs: 0}\nsft: {epoch: 1}\nstages: [ppo, sft]\n"
    found = problems(text)
    assert [d.code for d in found] == ["E101", "E012", "E010", "E402", "E403"]
    assert [d.code for d in problems("ppoc: 1\nkind: rlhf\n")] == ["E407", "E407", "E407", "E013"]


def test_an_agents_verb_says_that_it_is_one(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(HEAD)
    with pytest.raises(SpecError) as caught:
        as_agent(resolve(path))
    assert [(d.code, d.span.line) for d in caught.value.diagnostics] == [("E401", 2)]
