"""The spec language: one pydantic model a section, with its ranges, defaults and meaning.

The JSON Schema, the checks and the reference in docs/ all come from these models.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from ppoc.compiler.agent.estimators import Advantage, Buffer
from ppoc.compiler.agent.evaluation import Evaluation
from ppoc.compiler.front.values import (
    SCHEDULE,
    STRICT,
    CodeName,
    Count,
    EnvId,
    Formula,
    Lock,
    Name,
    One,
    OptionName,
    Options,
    Points,
    Positive,
    Schedule,
    WrapperName,
)


class Normalize(BaseModel):
    """Running normalisation; its statistics travel with the checkpoint."""

    model_config = STRICT
    observations: bool = Field(False, description="Scale observations to mean 0 and variance 1.")
    rewards: bool = Field(
        False, description="Divide rewards by the standard deviation of the discounted return."
    )
    clip: Positive = Field(10.0, description="Clip what is normalised to ± this.")


class Atari(BaseModel):
    """The usual preprocessing of Atari games (Mnih et al. 2015; Machado et al. 2018)."""

    model_config = STRICT
    frame_skip: Annotated[int, Field(ge=1, le=100)] = Field(
        4, description="Frames an action is held; the maximum of the last two is seen."
    )
    screen_size: Annotated[int, Field(ge=1, le=1024)] = Field(
        84, description="Height and width, in pixels, that the screen is resized to."
    )
    grayscale: bool = Field(True, description="One channel of luminance instead of three colours.")
    noop_max: Annotated[int, Field(ge=0, le=1000)] = Field(
        30, description="The most random idle steps that an episode starts with."
    )
    episodic_life: bool = Field(
        True, description="In training, the loss of a life ends an episode."
    )
    fire_reset: bool = Field(True, description="Press FIRE at a start, where a game needs it.")
    clip_rewards: bool = Field(True, description="Learn from the sign of each reward.")


class Environment(BaseModel):
    """Where the agent acts."""

    model_config = STRICT
    id: EnvId = Field(
        description="A Gymnasium environment id, such as CartPole-v1; or `package.module:Name` of "
        "a class, of a function that returns an environment, or of an id (with --trust)."
    )
    num_envs: Annotated[int, Field(ge=1, le=100_000)] = Field(
        8, description="Environments stepped side by side."
    )
    backend: Literal["auto", "gymnasium", "envpool", "torch"] = Field(
        "auto",
        description="What runs the environments; torch: classic control, all as one tensor. auto: "
        "torch for 512 or more of those, and for any number where a run is long enough to compile "
        "its rollouts, or on CUDA; gymnasium for one environment, or up to 8 whose step is cheap; "
        "else envpool where it has this one.",
    )
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = Field(
        "auto", description="envpool's worker threads; auto: one a core."
    )
    max_episode_steps: Count | None = Field(
        None, description="Time limit of an episode; null: the environment's own."
    )
    step_timeout: Annotated[float, Field(ge=0.1, le=86_400, allow_inf_nan=False)] | None = Field(
        None,
        description="Seconds that a step of the environments may take; longer ones end the run, "
        "with the last checkpoint named. null: no limit.",
    )
    options: Options = Field(
        default_factory=dict, description="Arguments of the environment's constructor."
    )
    atari: Atari | None = Field(
        None, description="Preprocessing of an Atari game; {} takes the usual one."
    )
    frame_skip: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="Steps that each action is held; their rewards are added up."
    )
    grayscale: bool = Field(False, description="Turn colour images to one channel of luminance.")
    resize: (
        Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]
        | None
    ) = Field(None, description="Height and width that images are resized to; null: as they are.")
    frame_stack: Annotated[int, Field(ge=1, le=64)] = Field(
        1, description="Latest observations that the agent sees, the newest last."
    )
    wrappers: Annotated[
        list[
            WrapperName | Annotated[dict[WrapperName, Options], Field(min_length=1, max_length=1)]
        ],
        Field(max_length=16),
    ] = Field(
        default_factory=list,
        description="Wrappers around the environment, the innermost first: a name of "
        "gymnasium.wrappers, MaskVelocity, or `package.module:Name` (with --trust); "
        "`Name: {argument: value}` gives arguments.",
    )
    action_masks: bool = Field(
        False,
        description="Only take actions that the environment allows: by its method action_masks() "
        "or the entry action_mask of its info.",
    )
    normalize: Normalize = Field(default_factory=Normalize)


class Memory(BaseModel):
    """A recurrent layer, for tasks whose observations do not tell all."""

    model_config = STRICT
    kind: Literal["lstm", "gru"] = Field("lstm", description="The kind of cell.")
    size: Annotated[int, Field(ge=1, le=8192)] = Field(128, description="Hidden units H.")


Convolution = Annotated[
    list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=3, max_length=3)
]


class Network(BaseModel):
    """A network: convolutions for images, then memory, then fully connected layers, then a head."""

    model_config = STRICT
    body: Literal["mlp", "nature-cnn", "impala-cnn", "cnn", "custom"] = Field(
        "mlp",
        description="What observations first go through. nature-cnn: Mnih et al. 2015; impala-cnn: "
        "Espeholt et al. 2018; cnn: your `convolutions`; custom: your `code`.",
    )
    convolutions: Annotated[list[Convolution], Field(max_length=16)] = Field(
        default_factory=list,
        description="For cnn: [filters, kernel size, stride] of each convolution.",
    )
    features: Annotated[int, Field(ge=1, le=65536)] | None = Field(
        None,
        description="Width of the layer after the convolutions; null: 512, for impala-cnn 256.",
    )
    code: CodeName | None = Field(
        None,
        description="For custom: `package.module:name` of a function from the shape of an "
        "observation to a torch.nn.Module that gives features [N, F]. Needs --trust.",
    )
    memory: Memory | None = Field(None, description="null: the policy sees no more than now.")
    layers: list[Annotated[int, Field(ge=1, le=8192)]] = Field(
        default=[64, 64], max_length=16, description="Widths of the hidden layers."
    )
    activation: Literal["tanh", "relu", "elu", "silu", "gelu", "leaky_relu"] = Field(
        "tanh", description="After each hidden layer."
    )
    init: Literal["orthogonal", "xavier", "kaiming", "default"] = Field(
        "orthogonal", description="How weights start; default: as torch.nn.Linear's."
    )


class Actor(Network):
    """The policy's network."""

    distribution: Literal["gaussian", "tanh-gaussian", "beta"] = Field(
        "gaussian",
        description="Of continuous actions. gaussian: clipped to the bounds on its way out; "
        "tanh-gaussian: squashed into them; beta: Chou et al. 2017.",
    )
    action_scaling: Literal["auto", "bounds", "none"] = Field(
        "auto",
        description="Units of Gaussian actions. bounds: half the range of each action's bounds, "
        "from their middle; none: as the environment takes them; auto: bounds where some are far "
        "from ±1 or off-centre.",
    )
    std: Literal["independent", "state-dependent", "gsde"] = Field(
        "independent",
        description="Of Gaussian actions. independent: the same in all states; state-dependent: a "
        "second head; gsde: noise that is a function of the state (Raffin et al. 2021).",
    )
    resample_every: Count | None = Field(
        None, description="For gsde: steps between new noise; null: once a rollout."
    )
    log_std_init: Annotated[float, Field(ge=-20, le=5)] = Field(
        0.0, description="Logarithm of the initial standard deviation of continuous actions."
    )


class Critic(Network):
    """The value function's network: its own, or the actor's body with a head of its own."""

    share: Literal["actor", "body"] | None = Field(
        None,
        description="actor: use the actor's hidden layers; then give no others here. body: use "
        "the actor's convolutions and memory, with layers of its own.",
    )


class Networks(BaseModel):
    """Actor and critic."""

    model_config = STRICT
    actor: Actor = Field(default_factory=Actor)
    critic: Critic | None = Field(
        default_factory=Critic, description="null: no value function, and so no GAE."
    )


class PolicyLoss(BaseModel):
    """The surrogate objective of the policy."""

    model_config = STRICT
    objective: Formula = Field(
        "clip",
        description="What is maximised: clip, ratio, score, kl-penalty, or a formula of your own.",
    )
    parameters: dict[OptionName, float] = Field(
        default_factory=dict, description="Further numbers that the formula names."
    )
    epsilon: Annotated[float, Field(gt=0, le=10)] = Field(
        0.2, description="Clip range ε of the probability ratio."
    )
    schedule: Schedule = Field("constant", description=f"Of ε; {SCHEDULE}")
    kl_target: Positive | None = Field(
        None, description="Double or halve the parameter kl_weight to keep the KL near this."
    )


class ValueLoss(BaseModel):
    """The error of the value function."""

    model_config = STRICT
    objective: Formula = Field(
        "squared", description="What is minimised: squared, or a formula of your own."
    )
    parameters: dict[OptionName, float] = Field(
        default_factory=dict, description="Further numbers that the formula names."
    )
    coefficient: Annotated[float, Field(ge=0)] = Field(
        0.5, description="Weight of the mean error, mean((V − R)²) for squared, in the loss."
    )
    schedule: Schedule = Field("constant", description=f"Of the coefficient; {SCHEDULE}")
    clip: Positive | None = Field(
        None,
        description="Keep new values within ± this of old ones; null: do not. A formula calls it "
        "value_clip.",
    )


class EntropyBonus(BaseModel):
    """The maximum-entropy term."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(0.0, description="Weight β of the entropy bonus.")
    schedule: Schedule = Field("constant", description=f"Of β; {SCHEDULE}")


class Losses(BaseModel):
    """The terms of the loss."""

    model_config = STRICT
    policy: PolicyLoss = Field(default_factory=PolicyLoss)
    value: ValueLoss = Field(default_factory=ValueLoss)
    entropy: EntropyBonus = Field(default_factory=EntropyBonus)


class Optimizer(BaseModel):
    """How one network's parameters move."""

    model_config = STRICT
    kind: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(
        "adam", description="Adam (Kingma and Ba 2015), its variants, or gradient descent."
    )
    lr: Positive = Field(3e-4, description="Learning rate.")
    schedule: Literal["constant", "linear", "cosine", "adaptive"] | Points = Field(
        "constant", description=f"Of the rate; adaptive: follows kl_target; {SCHEDULE}"
    )
    kl_target: Positive | None = Field(
        None, description="The KL divergence of an update that an adaptive rate keeps near."
    )
    epsilon: Positive = Field(1e-5, description="ε in the denominator of Adam, AdamW and RMSprop.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.0, description="AdamW's decay of the weights, a fraction of the learning rate."
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Momentum of sgd (Polyak 1964)."
    )
    decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.99, description="rmsprop's decay of the mean of squared gradients."
    )


class TrustRegion(BaseModel):
    """A natural-gradient step of the policy with a line search (Schulman et al. 2015)."""

    model_config = STRICT
    kl_limit: Positive = Field(0.01, description="δ, the largest KL divergence of a step.")
    cg_iterations: Annotated[int, Field(ge=1, le=1000)] = Field(
        10, description="Conjugate-gradient iterations for the direction."
    )
    damping: Annotated[float, Field(ge=0)] = Field(
        0.1, description="Added to the diagonal of the Fisher matrix."
    )
    backtracks: Annotated[int, Field(ge=1, le=100)] = Field(
        10, description="Step lengths tried by the line search."
    )
    backtrack_ratio: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.8, description="Each length tried over the one before."
    )


class CrossEntropy(BaseModel):
    """Search over parameters without a gradient (Szita and Lőrincz 2006)."""

    model_config = STRICT
    elite_fraction: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.2, description="Of the candidates, one an environment, the share that is refitted to."
    )
    std_init: Positive = Field(
        0.5, description="Standard deviation of each parameter among the first candidates."
    )
    noise: Annotated[float, Field(ge=0)] = Field(
        0.2,
        description="Deviation added at each refit, against settling too early; falls linearly "
        "to 0 at the end of training.",
    )


class Optimizers(BaseModel):
    """Optimisers of actor and critic; what the critic's leaves out is as the actor's."""

    model_config = STRICT
    actor: Optimizer = Field(default_factory=Optimizer)
    critic: Optimizer = Field(default_factory=Optimizer)
    trust_region: TrustRegion | None = Field(
        None,
        description="One step an iteration for the policy, within a hard KL limit; epochs and "
        "minibatches are then the critic's. null: both take minibatch gradient steps.",
    )
    cross_entropy: CrossEntropy | None = Field(
        None,
        description="The cross-entropy method: candidates are scored by their mean return of an "
        "episode, and nothing is differentiated. null: the policy learns by gradients.",
    )
    max_grad_norm: Positive | None = Field(
        0.5, description="Clip the norm of the whole gradient to this; null: do not."
    )


class Update(BaseModel):
    """How much is collected, and how often it is learnt from."""

    model_config = STRICT
    rollout_steps: Count = Field(
        2048,
        description="Environment steps an iteration, over all environments together: num_envs "
        "times what Stable-Baselines3 calls n_steps and CleanRL num_steps.",
    )
    epochs: Annotated[int, Field(ge=1, le=10_000)] = Field(
        10, description="Passes over each batch."
    )
    minibatch_size: Count | Literal["all"] = Field(
        64, description="Samples a gradient step; all: the whole batch."
    )
    sampling: Literal["rollout", "episodes"] = Field(
        "rollout",
        description="episodes: every iteration starts new episodes, and learns only from those "
        "that end within it.",
    )
    sequence_length: Count | None = Field(
        None,
        description="With memory: steps through which its gradient flows; null: as many as a "
        "minibatch and a rollout of one environment both divide into.",
    )
    buffer: Buffer | None = Field(
        None, description="null: on-policy, each rollout is learnt from in its own iteration only."
    )
    target_kl: Positive | None = Field(
        None, description="Stop an iteration's updates at 1.5 times this KL; null: never."
    )


class Training(BaseModel):
    """How long, from which seed, and where."""

    model_config = STRICT
    total_steps: Count = Field(
        1_000_000,
        description="Environment steps; the last iteration is as short as they want it, where it "
        "can be (`ppoc explain W101`).",
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="Of parameters, noise and environments."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where there is one."
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether the update is compiled, which takes seconds once: what is compiled is "
        "kept for the next run of the same shapes and settings. auto: where there is a C++ "
        "compiler, and this run alone is long enough to earn that back. always: a run without one "
        "ends at its start.",
    )
    checkpoint_every: Count | None = Field(
        None, description="Environment steps between checkpoints; null: ten in a run."
    )
    on_divergence: Literal["stop", "rollback", "continue"] = Field(
        "stop",
        description="What to do when a loss or a gradient is not finite, or the KL divergence "
        "exceeds 20 nats. stop: end the run, and keep the update that did it. rollback: go back to "
        "the last checkpoint and on from there with other noise, three times at most. continue: "
        "leave out updates that are not finite.",
    )


class AgentSpec(BaseModel):
    """An agent: what it acts in, what it is made of, and how it learns."""

    model_config = STRICT
    ppoc: One = Field(description="Version of the spec language.")
    kind: Literal["control"] = Field(
        "control",
        description="control: an agent in an environment. `kind: rlhf` is a language of its own, "
        "described below.",
    )
    name: Name = Field(description="Name of the agent; run folders carry it.")
    algorithm: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = Field(
        description="The preset the spec starts from, such as ppo."
    )
    env: Environment
    networks: Networks = Field(default_factory=Networks)
    advantage: Advantage = Field(default_factory=Advantage)
    losses: Losses = Field(default_factory=Losses)
    optimizer: Optimizers = Field(default_factory=Optimizers)
    update: Update = Field(default_factory=Update)
    training: Training = Field(default_factory=Training)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    lock: Lock | None = Field(None, description="Only in spec.lock.yaml.")

    @property
    def learns_action_values(self) -> bool:
        """Whether the critic values actions too."""
        return self.advantage.estimator == "q"
