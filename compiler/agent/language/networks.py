"""The section `networks`: actor and critic."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from ppoc.compiler.front.values import STRICT, CodeName, Count


class Memory(BaseModel):
    """A recurrent layer, for tasks whose observations do not tell all."""

    model_config = STRICT
    kind: Literal["lstm", "gru"] = Field("lstm", description="The kind of cell.")
    size: Annotated[int, Field(ge=1, le=8192)] = Field(128, description="Hidden units H.")


CONVOLUTIONAL = ("nature-cnn", "impala-cnn", "cnn")  # bodies for images
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
