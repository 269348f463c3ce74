"""The section `env`: where the agent acts."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, Count, EnvId, Options, Positive, WrapperName


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
        "auto", description="envpool's worker threads; auto: one a core, or OMP_NUM_THREADS."
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
