"""From claims to a spec that passes the checks, every value with where it comes from.

The compiler is the judge: what it refuses is left out and listed with its own words, numbers that
do not fit each other are moved to the nearest that do, and the result is checked again.
"""

from collections.abc import Mapping
from math import lcm
from typing import Any

from ppoc.compiler.agent.env.facts import EnvFacts
from ppoc.compiler.agent.env.probe import READS, probe
from ppoc.compiler.agent.resolved import ResolvedAgent, as_agent
from ppoc.compiler.front.diagnostics import Diagnostic, SpecError
from ppoc.compiler.front.rules import Phase
from ppoc.compiler.resolve import resolve_text
from ppoc.draft.agent import atari, images
from ppoc.draft.agent.environments import newest_of
from ppoc.draft.agent.fields import (
    STAND_IN,
    default_of,
    field_table,
    preset_values,
    zoo,
    zoo_values,
)
from ppoc.draft.spec import write
from ppoc.draft.spec.drafts import ROUNDS, Draft, NothingToDraftError, Value, adapt
from ppoc.draft.spec.paths import values_of
from ppoc.draft.text.claims import Claim, Note, Reading, plain

MOST_FACTS = 50  # environments that are remembered
_FACTS: dict[str, EnvFacts] = {}
NORMALIZE = "env.normalize.observations", "env.normalize.rewards"


def compose(reading: Reading, name: str | None = None) -> Draft:
    """The spec of a reading.

    Raises:
        NothingToDraftError: nothing is left of what the request claims.
    """
    notes = list(reading.notes)
    values = {c.path: _claimed(reading, c) for c in reading.claims if c.path in _writable(c)}
    if "networks.critic" in values:  # null, so it has no parts
        values = {p: v for p, v in values.items() if not p.startswith("networks.critic.")}
    for _ in range(ROUNDS):
        full = with_defaults(values, name)
        full = fitted(full, preset_values(full["algorithm"].value), notes)
        text = write.spec(reading.request, full, notes, list(field_table()))
        try:
            resolved = as_agent(resolve_text(text, "spec.yaml"))
            facts = _seen(resolved)
        except SpecError as error:
            values = _without(values, full, text, error, notes)
            continue
        advice = resolved.findings(Phase.PROBED, facts)
        return Draft(text, list(full.values()), notes, resolved, [*resolved.warnings, *advice])
    raise NothingToDraftError(notes)


def _seen(resolved: ResolvedAgent) -> EnvFacts:
    """The facts of an environment, looked at once for all drafts that read the same of it.

    Raises:
        SpecError: it is not as the spec says.
    """
    values = values_of(resolved)
    read = [path for path in values if path.startswith("env.") or path in READS]
    key = repr([(path, values[path]) for path in read])
    if key not in _FACTS:
        facts = probe(resolved, choose_backend=False)
        if len(_FACTS) == MOST_FACTS:
            _FACTS.clear()
        _FACTS[key] = facts
    return _FACTS[key]


def _writable(claim: Claim) -> tuple[str, ...]:
    """Fields a request may set: never what the compiler writes, extends or trusts."""
    root = claim.path.partition(".")[0]
    allowed = root in field_table() and root not in ("ppoc", "lock", "name")
    return (claim.path,) if allowed else ()


def _claimed(reading: Reading, claim: Claim) -> Value:
    words = reading.words(claim.start, claim.end)
    return Value(claim.path, claim.value, "request", words, plain(claim.how))


def with_defaults(values: dict[str, Value], name: str | None) -> dict[str, Value]:
    """The claims and the named defaults that a reader of the spec wants to see."""
    full = dict(values)

    def default(path: str, value: Any, why: str) -> None:
        full.setdefault(path, Value(path, value, "default", why=why))

    default("algorithm", "ppo", "no algorithm that ppoc compiles is named")
    default("env.id", STAND_IN, "no environment that is installed is named")
    algorithm, env_id = full["algorithm"].value, full["env.id"].value
    like = _like(algorithm, env_id)
    if like:
        theirs = zoo_values(like)
        for path in (*NORMALIZE, "env.num_envs", "training.total_steps"):
            same = zoo_values(like)["algorithm"] == algorithm
            if path in theirs and (same or path in NORMALIZE):
                default(path, theirs[path], f"as in the zoo's {like}")
    if atari.is_atari(env_id):
        for path, value in images.defaults(full, algorithm).items():
            default(path, value, f"as in the zoo's {images.LIKE}")
    if {"networks.actor.body", "networks.actor.memory.kind"} <= full.keys():
        default("networks.critic.share", "body", "as a memory over images needs it")
    full = images.shared(full)
    if _is_mujoco(env_id):
        for path in NORMALIZE:
            default(path, True, "as in the zoo's ppo/halfcheetah, for MuJoCo tasks")
    if algorithm == "cem" and full.get(NORMALIZE[1], Value("", 0, "request")).origin == "default":
        del full[NORMALIZE[1]]  # a search has no use for it
    for path in ("env.num_envs", "training.total_steps", "training.seed"):
        value = preset_values(algorithm)[path]
        whose = "the language's" if value == default_of(path) else f"the preset {algorithm}'s"
        default(path, value, whose)
    full["ppoc"] = Value("ppoc", 1, "default", why="version of the language")
    own = name or f"{env_id.rpartition('-v')[0].rpartition('/')[2].lower()}-{algorithm}"
    full["name"] = Value("name", own[:64], "default", why="environment and algorithm")
    return full


def _like(algorithm: str, env_id: str) -> str | None:
    """The spec of the zoo for an environment, of the same algorithm where there is one."""
    found = [
        name
        for name in zoo()
        if zoo_values(name)["env.id"] == env_id and not name.startswith("figure3/")
    ]
    same = [name for name in found if zoo_values(name)["algorithm"] == algorithm]
    close = same or [name for name in found if name.startswith("ppo/")]
    return min(close, key=len) if close else None


def _is_mujoco(env_id: str) -> bool:
    import gymnasium

    registered = gymnasium.registry.get(env_id)
    return registered is not None and "mujoco" in str(registered.entry_point)


def advice(resolved: ResolvedAgent) -> list[Diagnostic]:
    """Advice that only the environment shows; raises SpecError where it is not as the spec says."""
    return resolved.findings(Phase.PROBED, probe(resolved, choose_backend=False))


def fitted(full: dict[str, Value], below: Mapping[str, Any], notes: list[Note]) -> dict[str, Value]:
    """Environments, rollout and minibatches that divide each other, moved as little as may be.

    `below` has what the values of `full` lie over: a preset, or a spec that is edited.
    """

    def number(path: str) -> Any:
        return full[path].value if path in full else below.get(path)

    envs, steps, size = (
        number(p) for p in ("env.num_envs", "update.rollout_steps", "update.minibatch_size")
    )
    if steps % envs:
        nearest = _nearest_rollout(steps, envs, size)
        why = f"the nearest to {steps} that {envs} environments can share evenly"
        adapt(full, notes, "update.rollout_steps", nearest, why)
        steps = nearest
    rollouts = number("update.buffer.rollouts") if below.get("update.buffer", 0) is not None else 1
    samples = steps * (rollouts or 1)
    if size != "all" and samples % size:
        nearest = _nearest_divisor(samples, size)
        why = f"the nearest to {size} that divides {samples} samples"
        adapt(full, notes, "update.minibatch_size", nearest, why)
    return full


def _nearest_rollout(steps: int, envs: int, size: int | str) -> int:
    """The nearest number of steps that environments share, and minibatches if one is close."""
    step = lcm(envs, size) if isinstance(size, int) else envs
    nearest = max(1, round(steps / step)) * step
    return nearest if abs(nearest - steps) <= steps / 10 else max(1, round(steps / envs)) * envs


def _nearest_divisor(number: int, near: int) -> int:
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    divisors = {*small, *(number // d for d in small)} - ({1} if number > 1 else set())
    return min(divisors, key=lambda d: (abs(d - near), d))


def _without(
    values: dict[str, Value],
    full: dict[str, Value],
    text: str,
    error: SpecError,
    notes: list[Note],
) -> dict[str, Value]:
    """The claims without one that the compiler objects to, and a note of it."""
    first = next(d for d in error.diagnostics if d.severity == "error")
    env_id = full["env.id"].value
    newest = newest_of(env_id)
    if first.code == "E103" and "cannot be made" in first.message and newest:
        said = full["env.id"]
        why = f"{env_id} cannot be made here: its newest version"
        notes.append(Note("adapted", said.words, f"{why}, {newest}"))
        return {**values, "env.id": Value("env.id", newest, "request", said.words, why)}
    culprit = _culprit(values, full, text, first)
    said = values[culprit]
    message = f"{first.message}" + (f"; {first.help}" if first.help else "")
    notes.append(Note("cannot", said.words, f"left out `{culprit}`: {plain(message, 300)}"))
    return {path: value for path, value in values.items() if not _together(path, culprit)}


def _together(path: str, culprit: str) -> bool:
    """Whether a claim goes with one that is left out: bodies and memories of actor and critic."""
    for part in (".body", ".memory."):
        if part in culprit and part in path:
            return True
    return path == culprit


def _culprit(values: dict[str, Value], full: dict[str, Value], text: str, first: Diagnostic) -> str:
    """The claim that a diagnostic is about: the one at its place, or one whose absence ends it."""
    at = write.path_at(text, first.span.line) if first.span is not None else None
    if at in values:
        return str(at)
    for path in values:
        if path in ("algorithm", "env.id"):
            continue
        rest = {p: v for p, v in full.items() if p != path}
        try:
            resolve_text(write.spec("", rest, [], list(field_table())), "spec.yaml")
        except SpecError as error:
            if any(d.code == first.code and d.message == first.message for d in error.diagnostics):
                continue
        return path
    return next((path for path in reversed(values) if path != "algorithm"), "algorithm")
