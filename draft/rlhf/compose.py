"""From claims to a spec of `kind: rlhf` that passes the checks, each value with its origin."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.spec import ResolvedSpec
from ppoc.compiler.front.suggest import nearest_divisors
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.rlhf.fields import defaults, table
from ppoc.draft.spec import write
from ppoc.draft.spec.drafts import ROUNDS, Draft, NothingToDraftError, Value, adapt
from ppoc.draft.text.claims import Note, Reading, plain

NEEDED = {"sft": "demonstrations", "reward": "preferences", "ppo": "prompts"}
STAGES = ("sft", "reward", "ppo")
NEW_RATES = {"sft": 1e-3, "reward": 5e-4, "ppo": 1e-4}  # of random weights
PATH = "spec.yaml"


def compose(reading: Reading, name: str | None = None) -> Draft:
    """The spec of a reading. Files that it names need not be there yet.

    Raises:
        NothingToDraftError: nothing can be made of the request.
    """
    notes = list(reading.notes)
    values = {c.path: claimed(reading, c.path) for c in reading.claims if c.path in writable()}
    for _ in range(ROUNDS):
        full = with_defaults(values, name)
        full = fitted(full, defaults(), notes)
        text = write.spec(reading.request, full, notes, list(table()))
        try:
            resolved = resolve_text(text, PATH)
        except SpecError as error:
            values = _without(values, text, error, notes)
            continue
        return Draft(text, list(full.values()), notes, resolved, resolved.warnings)
    raise NothingToDraftError(notes)


def writable() -> set[str]:
    """The fields that a request may set: all but what the compiler and the kind say."""
    return {path for path in table() if path.partition(".")[0] not in ("ppoc", "kind", "lock")}


def claimed(reading: Reading, path: str) -> Value:
    """The value that a reading claims for a field."""
    claim = reading.claim(path)
    assert claim is not None
    words = reading.words(claim.start, claim.end)
    return Value(path, claim.value, "request", words, plain(claim.how))


def with_defaults(values: dict[str, Value], name: str | None) -> dict[str, Value]:
    """The claims, and the named defaults that a reader of the spec wants to see."""
    full = dict(values)

    def default(path: str, value: Any, why: str) -> None:
        full.setdefault(path, Value(path, value, "default", why=why))

    default("ppoc", 1, "version of the language")
    default("kind", "rlhf", "learning from human feedback")
    default("stages", list(STAGES), "the three steps")
    stages = full["stages"].value
    fresh = any(path.startswith("model.config.") for path in full)
    if not fresh:
        default("model.id", "gpt2", "no model is named")
    else:
        default("model.tokenizer", "byte", "the language's, of a new model")
    for stage in stages:
        key = NEEDED[stage]
        if key == "prompts" and ("data.demonstrations" in full or "sft" in stages):
            continue
        default(f"data.{key}", f"{key}.jsonl", f"no file for {stage} is named")
    _start(full, stages, default)
    if fresh:
        for stage in stages:
            default(f"{stage}.optimizer.lr", NEW_RATES[stage], "a rate for random weights")
        if "ppo" in stages:
            default("ppo.value_optimizer.lr", 10 * NEW_RATES["ppo"], "above the policy's")
    if "ppo" in stages:
        default("ppo.kl.beta", 0.05, "the language's")
    default("training.seed", 1, "the language's")
    model = full["model.id"].value if "model.id" in full else "new"
    own = name or f"{re.sub(r'[^A-Za-z0-9]+', '-', model.rpartition('/')[2]).strip('-')}-rlhf"
    full["name"] = Value("name", own.lower()[:64], "default", why="model and kind")
    return full


def _start(full: dict[str, Value], stages: list[str], default: Any) -> None:
    """Where stages that are left out come from, if the request does not say."""
    for what, stage in (("policy", "sft"), ("reward", "reward")):
        if stage in stages:
            full.pop(f"start.{what}", None)
    start = full.get("reward.start")
    of_sft = "ppo" in stages or ("reward" in stages and (start is None or start.value == "sft"))
    if "sft" not in stages and of_sft and "start.policy" not in full:
        if stages == ["reward"]:
            default("reward.start", "base", "no supervised policy is named")
        else:
            default("start.policy", "base", "no supervised policy is named")
    if "start.policy" in full and full["start.policy"].value == "base" and "reward" in stages:
        default("reward.start", "base", "as the policy does")
    if "reward" not in stages and "ppo" in stages:
        default("start.reward", "runs/reward-1", "no run with a reward model is named")


def fitted(full: dict[str, Value], below: Mapping[str, Any], notes: list[Note]) -> dict[str, Value]:
    """Minibatches that divide a rollout, and a context that holds the texts."""

    def number(path: str) -> Any:
        return full[path].value if path in full else below.get(path)

    rollout, minibatch = number("ppo.rollout_size"), number("ppo.minibatch_size")
    if rollout % minibatch:
        near = nearest_divisors(rollout, minibatch)
        nearest = min(near, key=lambda size: abs(size - minibatch))
        why = f"the nearest to {minibatch} that divides {rollout} responses"
        adapt(full, notes, "ppo.minibatch_size", nearest, why)
    prompt = number("data.max_prompt_tokens")
    response = max(number("data.max_response_tokens"), number("ppo.generation.max_new_tokens"))
    context = number("model.config.context")
    fresh = any(path.startswith("model.config.") for path in full)
    if fresh and prompt + response > (context or 128):
        why = f"prompts of {prompt} and responses of {response} tokens fit it"
        adapt(full, notes, "model.config.context", prompt + response, why)
    return full


def _without(
    values: dict[str, Value], text: str, error: SpecError, notes: list[Note]
) -> dict[str, Value]:
    """The claims without one that the compiler objects to, and a note of it."""
    first = next(d for d in error.diagnostics if d.severity == "error")
    culprit = _culprit(values, text, first)
    said = values[culprit]
    message = f"{first.message}" + (f"; {first.help}" if first.help else "")
    notes.append(Note("cannot", said.words, f"left out `{culprit}`: {plain(message, 300)}"))
    return {path: value for path, value in values.items() if path != culprit}


def _culprit(values: dict[str, Value], text: str, first: Diagnostic) -> str:
    """The claim that a diagnostic is about: the one at its place, or near it."""
    at = write.path_at(text, first.span.line) if first.span is not None else None
    if at in values:
        return str(at)
    inside = [path for path in values if at is not None and path.startswith(f"{at}.")]
    if not (inside or values):
        raise NothingToDraftError([])
    return (inside or list(values))[-1]


def missing_files(resolved: ResolvedSpec, folder: Path) -> list[Note]:
    """A note for each file of a spec which is not there yet, where the spec is in a folder."""
    from ppoc.compiler.rlhf.data import files_read
    from ppoc.compiler.rlhf.resolved import RlhfResolved

    if not isinstance(resolved, RlhfResolved):
        return []
    named = {name: folder / getattr(resolved.spec.data, name) for name in files_read(resolved)}
    return [
        Note("question", "", f"`data.{name}`: {path} is not there yet; its lines are to be "
             f"{EXAMPLES[name]}")
        for name, path in named.items() if not path.expanduser().is_file()
    ]  # fmt: skip


EXAMPLES = {
    "demonstrations": '{"prompt": "…", "response": "…"}',
    "preferences": '{"prompt": "…", "chosen": "…", "rejected": "…"}',
    "prompts": '{"prompt": "…"}',
}
