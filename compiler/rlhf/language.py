"""The language of `kind: rlhf`: supervised fine-tuning, a reward model, PPO with a KL penalty.

One pydantic model a section, as in ppoc.compiler.agent.language, whose notation this shares.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ppoc.compiler.formula.objectives import ObjectivesMixin
from ppoc.compiler.front.values import (
    SCHEDULE,
    STRICT,
    Count,
    Formula,
    Fraction,
    Lock,
    Name,
    One,
    OptionName,
    Positive,
    Schedule,
)

Stage = Literal["sft", "reward", "ppo"]
STAGES: tuple[Stage, ...] = ("sft", "reward", "ppo")
# A path or the id of a model; what it names is looked at by the checks.
Reference = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Tokens = Annotated[int, Field(ge=1, le=1_000_000)]
Size = Annotated[int, Field(ge=1, le=1_000_000)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Dropout = Annotated[float, Field(ge=0, lt=1)]
WEIGHTS_ONLY = "safetensors only, and no code of theirs is run"


class Start(BaseModel):
    """Where stages that are left out come from."""

    model_config = STRICT
    policy: Reference | None = Field(
        None,
        description="Run folder whose newest policy to start from where `stages` lacks sft; base: "
        "the model itself.",
    )
    reward: Reference | None = Field(
        None, description="Run folder whose reward model to take where `stages` lacks reward."
    )


class ModelConfig(BaseModel):
    """A model with random weights, as large as this says."""

    model_config = STRICT
    architecture: Literal["gpt2", "llama", "gpt_neox"] = Field(
        "gpt2", description="As transformers calls it."
    )
    layers: Annotated[int, Field(ge=1, le=1000)] = Field(2, description="Transformer blocks L.")
    heads: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Attention heads of a block."
    )
    hidden_size: Size = Field(128, description="Width D; the multi-layer perceptrons have 4 D.")
    context: Tokens = Field(128, description="Tokens of prompt and response together, at most.")
    dropout: Dropout = Field(0.0, description="In sft and reward; ppo has none.")


class Lora(BaseModel):
    """Low-rank changes of weights that stay as they are (Hu et al. 2022)."""

    model_config = STRICT
    rank: Size = Field(8, description="Rank r of a change.")
    alpha: Positive = Field(16.0, description="Changes are scaled by alpha / r.")
    dropout: Dropout = Field(0.0, description="Before the change, in sft and reward.")
    targets: Annotated[list[OptionName], Field(min_length=1, max_length=32)] | None = Field(
        None, description="Names of linear layers; null: those of attention and perceptrons."
    )


class Model(BaseModel):
    """The language model: a Hugging Face one, or one with random weights."""

    model_config = STRICT
    id: Reference | None = Field(
        None,
        description="A model of the hub, such as gpt2, or a folder, relative to this file; "
        f"{WEIGHTS_ONLY}.",
    )
    revision: Reference | None = Field(
        None, description="Branch, tag or commit of a model of the hub; null: its newest."
    )
    config: ModelConfig | None = Field(None, description="A new model, instead of `id`.")
    tokenizer: (
        Annotated[
            dict[Literal["bpe"], Annotated[int, Field(ge=258, le=1_000_000)]],
            Field(min_length=1, max_length=1),
        ]
        | Reference
        | None
    ) = Field(
        None,
        description="byte: one token a byte; `{bpe: 512}`: so many byte pairs, learnt from the "
        "demonstrations; else an id or a folder as for `id`. null: the model's own; of `config`, "
        "byte.",
    )
    dtype: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Of products of matrices; weights and their moments stay float32.",
    )
    lora: Lora | None = Field(None, description="null: all weights learn.")


class Data(BaseModel):
    """JSON Lines files, relative to the file that names them."""

    model_config = STRICT
    demonstrations: Reference | None = Field(
        None, description='For sft, lines such as `{"prompt": "…", "response": "…"}`.'
    )
    preferences: Reference | None = Field(
        None,
        description='For reward, `{"prompt": "…", "chosen": "…", "rejected": "…"}` or '
        '`{"prompt": "…", "ranking": ["best", …, "worst"]}`.',
    )
    prompts: Reference | None = Field(
        None, description='For ppo, `{"prompt": "…"}`; null: the prompts of the demonstrations.'
    )
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of each file that is kept for evaluation, chosen by the seed."
    )
    max_prompt_tokens: Tokens = Field(64, description="The longest prompt.")
    max_response_tokens: Tokens = Field(
        64, description="The longest response in the files, its end-of-text token included."
    )
    overlong: Literal["error", "drop", "truncate"] = Field(
        "error",
        description="What becomes of longer ones; truncate: prompts lose their beginning, "
        "responses their end.",
    )


class Optimizer(BaseModel):
    """AdamW (Loshchilov and Hutter 2019); without weight decay, Adam."""

    model_config = STRICT
    lr: Positive = Field(2e-5, description="Learning rate.")
    schedule: Schedule = Field("constant", description=f"Of the rate; {SCHEDULE}")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the updates in which the rate rises from 0 to its schedule."
    )
    epsilon: Positive = Field(1e-8, description="ε in the denominator.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(
        0.0, description="Decay of the weights, a fraction of the learning rate."
    )
    max_grad_norm: Positive | None = Field(
        1.0, description="Clip the norm of the whole gradient to this; null: do not."
    )


class SlowOptimizer(Optimizer):
    """AdamW, from smaller steps."""

    lr: Positive = Field(1e-5, description="Learning rate.")


class ValueOptimizer(BaseModel):
    """Settings that the value function does not share with the policy's optimiser."""

    model_config = STRICT
    lr: Positive = Field(1e-4, description="Learning rate of the value function's own weights.")


class Sft(BaseModel):
    """Step 1: supervised fine-tuning on demonstrations."""

    model_config = STRICT
    epochs: Epochs = Field(3, description="Passes over the demonstrations.")
    batch_size: Count = Field(32, description="Demonstrations a gradient step.")
    loss_on: Literal["response", "all"] = Field(
        "response", description="The tokens to learn; all: those of the prompt too."
    )
    optimizer: Optimizer = Field(default_factory=Optimizer)


class Reward(BaseModel):
    """Step 2: a reward model of what people prefer."""

    model_config = STRICT
    start: Literal["sft", "base"] = Field(
        "sft", description="The weights to start from: those of step 1, or the model's."
    )
    objective: Literal["pairs", "plackett-luce"] = Field(
        "pairs",
        description="pairs: Bradley and Terry 1952, of all pairs of a ranking (Ouyang et al. "
        "2022, eq. 1); plackett-luce: of whole rankings. Of a pair they are the same.",
    )
    margin: Annotated[float, Field(ge=0)] = Field(
        0.0,
        description="By how much the better one's score should be higher (Touvron et al. 2023).",
    )
    center: Annotated[float, Field(ge=0)] = Field(
        0.01, description="Weight of the mean squared score, which keeps scores near 0."
    )
    epochs: Epochs = Field(1, description="Passes over the preferences.")
    batch_size: Count = Field(32, description="Rankings a gradient step.")
    optimizer: SlowOptimizer = Field(default_factory=SlowOptimizer)


class Generation(BaseModel):
    """How responses are drawn in training."""

    model_config = STRICT
    max_new_tokens: Tokens = Field(
        32, description="The longest response, its end-of-text token included."
    )
    temperature: Positive = Field(
        1.0, description="Logits are divided by this, here and in the policy's probabilities."
    )
    top_k: Count | None = Field(
        None, description="Draw from the likeliest tokens only, so many; null: all."
    )
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="Draw from the likeliest tokens that have this probability together."
    )


class Kl(BaseModel):
    """The penalty β log(π/π_ref) of each token, taken off its reward."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(
        0.05, description="Weight β of the penalty; where `target` is set, its first value."
    )
    target: Positive | None = Field(
        None,
        description="KL divergence, in nats a response, that β follows (Ziegler et al. 2019, "
        "section 2.2); null: β stays.",
    )
    horizon: Count = Field(10_000, description="Responses over which β adapts to the target.")
    estimator: Literal["k1", "k2", "k3"] = Field(
        "k1",
        description="Of a token's KL divergence (Schulman 2020). k1: log r, with r = π/π_ref; k2: "
        "(log r)²/2; k3: 1/r − 1 + log r.",
    )


class Advantage(BaseModel):
    """Generalised advantage estimation over the tokens of a response."""

    model_config = ConfigDict(**STRICT, populate_by_name=True)
    gamma: Fraction = Field(1.0, description="Discount factor γ of a token.")
    lambda_: Fraction = Field(
        0.95, alias="lambda", description="λ of GAE: 0 is the TD error, 1 return minus value."
    )
    whiten: bool = Field(
        True, description="Scale advantages to mean 0 and deviation 1 over all tokens of a rollout."
    )


class PolicyLoss(BaseModel):
    """The surrogate objective of the policy, of each token."""

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


class ValueLoss(BaseModel):
    """The error of the value function, of each token."""

    model_config = STRICT
    objective: Formula = Field(
        "squared", description="What is minimised: squared, or a formula of your own."
    )
    parameters: dict[OptionName, float] = Field(
        default_factory=dict, description="Further numbers that the formula names."
    )
    coefficient: Annotated[float, Field(ge=0)] = Field(
        0.1, description="Weight of the mean error in the loss."
    )
    clip: Positive | None = Field(
        0.2, description="Keep new values within ± this of old ones; null: do not."
    )


class EntropyBonus(BaseModel):
    """The maximum-entropy term, of each token."""

    model_config = STRICT
    beta: Annotated[float, Field(ge=0)] = Field(0.0, description="Weight β of the entropy bonus.")


class Losses(BaseModel):
    """The terms of PPO's loss."""

    model_config = STRICT
    policy: PolicyLoss = Field(default_factory=PolicyLoss)
    value: ValueLoss = Field(default_factory=ValueLoss)
    entropy: EntropyBonus = Field(default_factory=EntropyBonus)


class Rewards(BaseModel):
    """Changes to the reward model's scores before they are rewards."""

    model_config = STRICT
    normalize: bool = Field(
        True,
        description="Shift and scale scores so that the first policy's responses have mean 0 and "
        "deviation 1 (Ziegler et al. 2019, section 2.1).",
    )
    clip: Positive | None = Field(None, description="Clip scores to ± this; null: do not.")
    missing_end: float | None = Field(
        -1.0,
        description="The score, normalised as it may be, of a response that does not end within "
        "its tokens (Huang et al. 2024); null: whatever the reward model gives it.",
    )


class Ppo(ObjectivesMixin, BaseModel):
    """Step 3: PPO against the reward model, kept near the policy it starts from."""

    model_config = STRICT
    episodes: Count = Field(8192, description="Responses in all; the last iteration is finished.")
    rollout_size: Count = Field(128, description="Responses an iteration.")
    epochs: Epochs = Field(4, description="Passes over each rollout.")
    minibatch_size: Count = Field(32, description="Responses a gradient step.")
    generation: Generation = Field(default_factory=Generation)
    kl: Kl = Field(default_factory=Kl)
    rewards: Rewards = Field(default_factory=Rewards)
    advantage: Advantage = Field(default_factory=Advantage)
    losses: Losses = Field(default_factory=Losses)
    value: Literal["shared", "separate"] = Field(
        "shared",
        description="shared: the value function is a head on the policy; separate: a model of "
        "its own, which starts from the reward model (Ouyang et al. 2022).",
    )
    optimizer: SlowOptimizer = Field(default_factory=SlowOptimizer)
    value_optimizer: ValueOptimizer | None = Field(
        default_factory=ValueOptimizer,
        description="null: the value function learns at the policy's rate.",
    )
    target_kl: Positive | None = Field(
        None,
        description="Stop an iteration's updates at 1.5 times this KL a token; null: never.",
    )

    @property
    def learns_action_values(self) -> bool:
        """Whether values are those of tokens too: they are of texts."""
        return False


class Evaluation(BaseModel):
    """How the policy is compared with the one it started from, on held-out prompts."""

    model_config = STRICT
    prompts: Count = Field(64, description="Held-out prompts, or as many as there are.")
    samples: Annotated[int, Field(ge=1, le=1000)] = Field(
        4, description="Responses to each prompt."
    )
    temperature: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of those responses, 0: the likeliest tokens; null: as in training."
    )
    every: Count | None = Field(
        None, description="Iterations of ppo between evaluations; null: at the end only."
    )


class Training(BaseModel):
    """Seed, device, compiling and checkpoints of training."""

    model_config = STRICT
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(
        1, description="Of weights, of the order of data, and of sampled tokens."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where there is one."
    )
    compile: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Whether a transformer block is compiled for gradient steps, which takes half "
        "a minute of each stage the first time. auto: where there is a C++ compiler and that is "
        "earned back, which `ppoc compile --explain-plan` explains. always: a run without one "
        "ends at its start.",
    )
    checkpoint_every: Count | None = Field(
        None,
        description="Updates of sft and reward, and iterations of ppo, between checkpoints; null: "
        "ten in a stage.",
    )


class RlhfSpec(BaseModel):
    """A language model, and the three steps of learning from human feedback."""

    model_config = STRICT
    ppoc: One = Field(description="Version of the spec language.")
    kind: Literal["rlhf"] = Field(description="rlhf: learning from human feedback.")
    name: Name = Field(description="Name of the model; run folders carry it.")
    stages: Annotated[list[Stage], Field(min_length=1, max_length=3)] = Field(
        default=list(STAGES), description="The steps to make, in this order."
    )
    start: Start = Field(default_factory=Start)
    model: Model
    data: Data = Field(default_factory=Data)
    sft: Sft = Field(default_factory=Sft)
    reward: Reward = Field(default_factory=Reward)
    ppo: Ppo = Field(default_factory=Ppo)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    training: Training = Field(default_factory=Training)
    lock: Lock | None = Field(None, description="Only in spec.lock.yaml.")
