"""The declared interface of generated modules: all that the runtime and exporting know of one.

A module ends with `INTERFACE`, which holds its functions and constants by what they are for. What
a module lacks is None or empty there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

VERSION = 1

Bounds = float | tuple[float, ...]  # one for all components of an action, or one for each
Space = tuple[Any, ...]  # its kind, and what that has: shape, type, bounds
Layer = tuple[str, Mapping[str, Any]]  # a wrapper's name, and its arguments
Setting = bool | float | str | tuple[Any, ...] | None


@dataclass(frozen=True, kw_only=True)
class Interface:
    """The interface of modules of any kind.

    Attributes:
        kind: of the spec, as its key `kind` says.
        version: of the interface; a module is of the version that wrote it.
        stages: name → the function that trains it, in the order in which they run.
        total_steps: of stages whose steps are known before they begin.
        settings: key of the spec, such as `optimizer.actor.lr` → its value.
    """

    kind: ClassVar[str]
    name: str
    seed: int
    device: str
    stages: Mapping[str, Callable[[Any], None]]
    total_steps: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Setting] = field(default_factory=dict)
    version: int = VERSION


# ── Agents ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The environment that a module was compiled for."""

    id: str
    make: Callable[..., Any]  # from a number of environments to a VectorEnv
    observations: Space
    actions: Space
    max_episode_steps: int | None = None  # None: as the environment has it
    options: Mapping[str, Any] = field(default_factory=dict)
    wrappers: tuple[Layer, ...] = ()  # the innermost first
    package: str | None = None  # imported, it registers the environment


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy's parameters and functions, and how actions reach the environment."""

    shapes: Mapping[str, tuple[int, ...]]  # of parameters, in their order
    load: Callable[..., Any]  # from a checkpoint and a generator, or None, to a policy
    distribution: str | None = None  # None: the outputs of a search are the actions
    actor: Callable[..., Any] | None = None
    body: Callable[..., Any] | None = None
    new_normalizer: Callable[[], Any] | None = None  # of observations
    memory: int = 0  # numbers in the state of an environment
    choices: tuple[int, ...] = ()  # of each component of an action
    low: Bounds | None = None
    high: Bounds | None = None
    center: Bounds | None = None  # of actions in units of their bounds
    scale: Bounds | None = None


@dataclass(frozen=True, kw_only=True)
class Rollouts:
    """How experience is collected."""

    num_envs: int
    length: int
    batch_size: int
    collect: Callable[..., Any]
    draw_noise: Callable[..., Any] | None = None
    kept: int = 0  # rollouts in a buffer
    experience: Any = None  # the class of what a buffer keeps
    action_log_probs: Callable[..., Any] | None = None  # of a buffer's actions
    draw: Callable[..., Any] | None = None  # all that is random, on the device
    new_episodes: Callable[..., Any] | None = None  # on the device
    normalizes: bool = False  # observations, by statistics on the device


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How a policy learns by gradients."""

    initial_parameters: Callable[[int], Any]
    initial_learner: Callable[[int], Any]
    make_batch: Callable[..., Any]
    objective: Callable[..., Any]  # of parameters and a batch: what the policy's gradient is of
    arguments: tuple[float, ...] = ()  # of the objective, as training starts with them
    next_noise: bool = False  # the batch takes noise for the actions after the rollout's


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How much an evaluation plays, and whether it takes the policy's modes."""

    episodes: int
    deterministic: bool
    max_steps: int
    num_envs: int


@dataclass(frozen=True, kw_only=True)
class AgentInterface(Interface):
    """The interface of an agent's module.

    Attributes:
        learning: None: it searches among parameters instead.
        on_divergence: stop, rollback or continue.
    """

    kind = "control"
    environment: Environment
    policy: Policy
    rollouts: Rollouts
    evaluation: Evaluation
    learning: Learning | None = None
    on_divergence: str = "stop"

    @property
    def action_components(self) -> int:
        """Components of an action that is continuous; 0 for one that is a choice."""
        kind, shape = self.environment.actions[:2]
        return prod(shape) if kind == "Box" else 0


# ── Language models ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Data:
    """The texts that a model learns from: files in `folder`."""

    folder: Any
    limits: tuple[int, int, str]  # of prompts and responses, and what is done with longer ones
    held_out: float
    demonstrations: str | None = None
    preferences: str | None = None
    prompts: str | None = None


@dataclass(frozen=True, kw_only=True)
class LanguageModel:
    """The model, and what it starts from."""

    make: Callable[..., Any]
    load_policy: Callable[..., Any]
    add_lora: Callable[..., Any] | None = None  # low-rank changes
    dtype: str = "float32"  # of products
    reference: str = "sft"  # stage whose policy is the first of those after it
    start: str | None = None  # run folder whose newest policy is first
    start_reward: str | None = None  # run folder of the reward model


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How ppo draws answers."""

    max_new_tokens: int
    temperature: float


@dataclass(frozen=True, kw_only=True)
class AnswerEvaluation:
    """How ppo's answers are evaluated."""

    prompts: int
    samples: int
    temperature: float
    every: int | None = None  # iterations


@dataclass(frozen=True, kw_only=True)
class LanguageModelInterface(Interface):
    """The interface of a language model's module.

    Attributes:
        generation, evaluation: None: it has no stage ppo.
    """

    kind = "rlhf"
    data: Data
    model: LanguageModel
    generation: Generation | None = None
    evaluation: AnswerEvaluation | None = None
