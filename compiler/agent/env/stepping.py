"""Some random steps of an environment, each answer compared with what gymnasium's interface says.

What the runtime would stumble over is an error here, with the step and the action that met it.
Numbers of other types that mean the same pass: `np.bool_`, `np.float32`, whole rewards.
"""

import contextlib
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ppoc.compiler.agent.env.blame import told
from ppoc.compiler.agent.env.facts import Layers
from ppoc.compiler.agent.env.isolation import Desk
from ppoc.compiler.agent.env.making import ID, MAKE_SECONDS
from ppoc.compiler.agent.env.observed import Observed, Watch, mask_of, random_action
from ppoc.compiler.agent.env.observing import length_of, observation_faults, short, true
from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import SpecError

RANDOM_STEPS = 200
BUDGET_SECONDS = 2.0  # of random steps in all
STEP_SECONDS = 5.0  # of one, where the spec does not say
RESET_API = "`reset(seed=…, options=…)` returns an observation and a dictionary"
STEP_API = "`step(action)` returns observation, reward, terminated, truncated and a dictionary"
CORRECT = "correct the environment there"
OLD_API = "this is the interface of gym before 0.26; gymnasium's "


class _FaultError(Exception):
    """A fault of an environment that nobody could train with, and what to do about it."""

    def __init__(self, text: str, help: str) -> None:
        super().__init__(text)
        self.help = help


@dataclass(frozen=True)
class Steps:
    """Findings of random steps."""

    largest: float  # |reward|
    observed: Observed


def take_steps(
    resolved: ResolvedAgent, env: Any, layers: Layers, desk: Desk, choices: tuple[int, ...]
) -> Steps:
    """Take random steps until there are enough of them, or their time is up.

    Args:
        choices: of each component of an action, where masks may forbid some.

    Raises:
        SpecError: a step or a reset fails, or returns what no policy can learn from (E130); there
            are no masks where the spec wants some (E123), or no lives (E122).
    """
    walk = _Walk(resolved, env, desk, choices)
    lives = any(name == "EpisodicLife" for name, _ in layers)
    try:
        return walk.walk(lives)
    except _FaultError as fault:
        message = f"`{resolved.spec.env.id}` {fault}"
        raise resolved.spec_error("E130", ID, message, fault.help) from None


class _Walk:
    """Random steps under way."""

    def __init__(
        self, resolved: ResolvedAgent, env: Any, desk: Desk, choices: tuple[int, ...]
    ) -> None:
        self._resolved, self._env, self._desk = resolved, env, desk
        self._choices = choices
        limit = resolved.spec.env.step_timeout
        self._step_seconds = limit or STEP_SECONDS
        self._reset_seconds = limit or MAKE_SECONDS
        self._watch = Watch(env.observation_space, env.action_space)

    def walk(self, lives: bool) -> Steps:
        """Take the steps."""
        end = time.monotonic() + BUDGET_SECONDS
        observation, info = self._reset(seed=0)
        with contextlib.suppress(Exception):
            self._env.action_space.seed(0)
        if lives and not true(lambda: "lives" in info):
            message = f"`EpisodicLife` needs `lives` in the info of `{self._resolved.spec.env.id}`"
            path = ("env", "atari") if self._resolved.spec.env.atari else ("env", "wrappers")
            raise self._resolved.spec_error("E122", path, message, "leave it out")
        largest = 0.0
        for number in range(1, RANDOM_STEPS + 1):
            mask = self._mask(info)
            self._watch.take(number - 1, observation, mask)
            if mask is not None:
                self._check_mask()
            action = self._sample(mask)
            doing = f"step {number}, with action {short(action)}"
            with self._desk.doing(f"E130 {doing}", self._step_seconds):
                observation, reward, ended, info = self._step(doing, action)
            largest = max(largest, abs(reward))
            if ended:
                self._watch.take(number, observation)
                observation, info = self._reset()
            if time.monotonic() > end:
                break
        return Steps(largest, self._watch.found())

    def _reset(self, **arguments: Any) -> tuple[Any, Any]:
        """Start an episode; returns its first observation and its info."""
        given = ", ".join(f"{key}={value}" for key, value in arguments.items())
        doing = f"reset({given})"
        with self._desk.doing(f"E130 {doing}", self._reset_seconds):
            try:
                answer = self._env.reset(**arguments)
            except BaseException as error:  # it may raise anything
                takes_no_seed = isinstance(error, TypeError) and "seed" in str(error)
                help = f"declare `def reset(self, *, seed=None, options=None)`; {RESET_API}"
                raise _FaultError(
                    f"fails in {doing}: {told(error)}", help if takes_no_seed else CORRECT
                ) from None
            if not isinstance(answer, tuple | list) or len(answer) != 2:
                text = f"returns {_kind(answer)} from {doing}, not an observation and its info"
                raise _FaultError(text, f"{OLD_API}{RESET_API}")
            observation, info = answer
            self._check_observation(observation, f"from {doing}")
        return observation, info

    def _step(self, doing: str, action: Any) -> tuple[Any, float, bool, Any]:
        """Take an action; returns the observation, the reward, whether the episode ended, info."""
        try:
            answer = self._env.step(action)
        except BaseException as error:
            raise _FaultError(f"fails in {doing}: {told(error)}", CORRECT) from None
        if not isinstance(answer, tuple | list) or len(answer) != 5:
            help = f"{OLD_API if length_of(answer) == 4 else ''}{STEP_API}"
            raise _FaultError(f"returns {_kind(answer)} from {doing}, not five values", help)
        observation, reward, terminated, truncated, info = answer
        self._check_observation(observation, f"from {doing}")
        number = _number(reward)
        if number is None:
            text = f"returns a reward from {doing}, which is no number: {_kind(reward)}"
            raise _FaultError(text, "return `float(reward)`")
        if not np.isfinite(np.float32(number)):
            text = f"returns a reward of {number} from {doing}"
            raise _FaultError(text, "nothing can be learnt from it: return a finite number")
        flags = []
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            flag = _number(value)
            if flag not in (0, 1):
                text = f"returns a `{name}` from {doing}, which is no bool: {_kind(value)}"
                raise _FaultError(text, f"{STEP_API}, in this order")
            flags.append(bool(flag))
        return observation, number, any(flags), info

    def _check_observation(self, observation: Any, where: str) -> None:
        for fault in observation_faults(self._env.observation_space, observation):
            help = "return what the observation space announces, or announce what is returned"
            raise _FaultError(f"returns an observation {where}, which {fault}", help)

    def _sample(self, mask: Any) -> Any:
        """A random action, which the mask allows."""
        try:
            return random_action(self._env.action_space, mask)
        except BaseException as error:  # a space may be code of others, too
            text = f"has actions that cannot be sampled from {self._env.action_space}"
            raise _FaultError(
                f"{text}: {told(error)}", "use the spaces of gymnasium.spaces"
            ) from None

    def _mask(self, info: Any) -> Any:
        """The mask of an action [A], where the spec has masks.

        It is looked for as ppoc.runtime.envs.wrappers.AppendActionMask does.
        """
        flat = len(self._env.action_space.shape or ()) < 2
        if not self._choices or not flat:
            return None
        env_id, size = self._resolved.spec.env.id, sum(self._choices)
        try:
            found = mask_of(self._env, info)
            nested = isinstance(found, list | tuple) and found and np.ndim(found[0]) > 0
            parts = [np.ravel(x) for x in found] if nested else [np.ravel(found)]
            row = np.concatenate(parts).astype(np.float32) if found is not None else None
        except BaseException as error:
            message = f"the action mask of `{env_id}` cannot be had: {told(error)}"
            raise self._refused(message) from None
        if row is None:
            message = f"`{env_id}` has neither action_masks() nor an action_mask in its info"
            raise self._refused(message)
        if row.shape != (size,):
            message = f"the action mask of `{env_id}` has {row.size} entries, not {size}"
            raise self._refused(message)
        return row

    def _check_mask(self) -> None:
        """Refuse an environment whose mask allows nothing."""
        forbidden = self._watch.found().forbidden
        if forbidden:
            message = f"`{self._resolved.spec.env.id}` allows no action {forbidden}"
            why = "a policy has to take one, also where an episode should be over"
            help = "let its mask allow an action in each state that is not the last of an episode"
            raise self._resolved.spec_error("E125", ID, message, help, why=why)

    def _refused(self, message: str) -> SpecError:
        help = f"give an entry for each of {sum(self._choices)} actions, 1 where it may be taken"
        return self._resolved.spec_error("E123", ("env", "action_masks"), message, help)


def _number(value: Any) -> float | None:
    """A value as a number; None where it is none, such as a text or an array with axes."""
    if value is None or isinstance(value, str | bytes) or getattr(value, "shape", ()) != ():
        return None
    try:
        return float(value)
    except Exception:  # whatever it is
        return None


def _kind(value: Any) -> str:
    """The type of a value, with its shape, its length or its text, in a few words."""
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of the shape {shape}"
    return f"{type(value).__name__} {short(value)}" if value is not None else "None"
