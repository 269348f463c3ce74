"""Lints of specs of `kind: rlhf`: what those who did it advise, as warnings.

`# ppoc: allow W401`, on the line or as a comment of its own, silences one.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ppoc.compiler.emission.cxx import always_needs_a_compiler
from ppoc.compiler.front.advice import LECTURE, MANY_EPOCHS
from ppoc.compiler.front.diagnostics import Diagnostic

if TYPE_CHECKING:
    from ppoc.compiler.rlhf.resolved import RlhfResolved

OUYANG = "Ouyang et al. 2022, Training language models to follow instructions"
STIENNON = "Stiennon et al. 2020, Learning to summarize from human feedback"
HUANG = "Huang et al. 2024, The N+ implementation details of RLHF with PPO"
LARGE_BETA = 0.5
REWARD_EPOCHS = 2
FAST, SLOW = 5e-5, 1e-4  # rates: of PPO for a pretrained model, and of anything for a new one


def nothing_holds_the_policy(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W401: a policy is rewarded by a model that is right only near its data."""
    kl = resolved.spec.ppo.kl
    if "ppo" in resolved.spec.stages and kl.beta == 0:
        yield resolved.error(
            "W401",
            ("ppo", "kl", "beta"),
            "no KL penalty keeps the policy near the one it starts from",
            why="far from its data the reward model is wrong, and the policy finds where "
            f"({STIENNON}, section 4.3)",
            help="set `ppo.kl.beta`, for instance to 0.05",
        )


def the_penalty_is_large(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W402: a nat of KL divergence that costs as much as half a deviation of the reward."""
    kl, rewards = resolved.spec.ppo.kl, resolved.spec.ppo.rewards
    normal = rewards.normalize and kl.target is None
    if "ppo" in resolved.spec.stages and normal and kl.beta > LARGE_BETA:
        yield resolved.error(
            "W402",
            ("ppo", "kl", "beta"),
            f"β = {kl.beta:g} holds the policy where it is",
            why=f"scores have deviation 1; 0.02 to 0.15 were used ({OUYANG}, appendix C.4)",
            help="try 0.05, or let it follow a `target`",
        )


def the_reward_model_sees_its_data_often(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W403: a pretrained model learns its preferences by heart."""
    spec = resolved.spec
    if "reward" in spec.stages and spec.model.id and spec.reward.epochs > REWARD_EPOCHS:
        yield resolved.error(
            "W403",
            ("reward", "epochs"),
            f"{spec.reward.epochs} epochs over the preferences",
            why=f"a reward model overfits after the first ({OUYANG}, appendix C.2)",
            help="take one epoch, and watch the accuracy on held-out preferences",
        )


def the_policy_moves_fast(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W404: a rate at which a pretrained model forgets."""
    spec = resolved.spec
    whole = spec.model.id is not None and spec.model.lora is None
    if "ppo" in spec.stages and whole and spec.ppo.optimizer.lr > FAST:
        yield resolved.error(
            "W404",
            ("ppo", "optimizer", "lr"),
            f"all weights of a pretrained model learn at {spec.ppo.optimizer.lr:g}",
            why=f"3e-6 to 1e-5 were used for it ({HUANG}; {OUYANG})",
            help="try 1e-5, or learn low-rank changes: `model.lora: {rank: 8}`",
        )


def a_new_model_learns_slowly(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W405: random weights need larger steps than pretrained ones, which the defaults are for."""
    spec = resolved.spec
    if spec.model.config is None:
        return
    for stage, optimizer in (("sft", spec.sft.optimizer), ("reward", spec.reward.optimizer)):
        if stage in spec.stages and optimizer.lr < SLOW:
            yield resolved.error(
                "W405",
                resolved.said((stage, "optimizer", "lr"), ("model", "config")),
                f"random weights learn at {optimizer.lr:g}, a rate for pretrained ones",
                why="at this rate a new model hardly leaves its random start",
                help=f"try `{stage}.optimizer.lr: 1e-3`",
            )
            return


def later_tokens_count_less(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W406: the score comes at the end, so that a discount favours short responses."""
    gamma = resolved.spec.ppo.advantage.gamma
    if "ppo" in resolved.spec.stages and gamma < 1:
        yield resolved.error(
            "W406",
            ("ppo", "advantage", "gamma"),
            f"γ = {gamma:g} discounts the score by the length of the response",
            why=f"the score comes with the last token; γ = 1 was used ({STIENNON}; {OUYANG})",
            help="set `gamma: 1`, unless short responses are wanted",
        )


def what_never_ends_is_scored(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W407: the reward model saw responses that end."""
    rewards = resolved.spec.ppo.rewards
    if "ppo" in resolved.spec.stages and rewards.missing_end is None:
        yield resolved.error(
            "W407",
            ("ppo", "rewards", "missing_end"),
            "responses that are cut off are scored like whole ones",
            why=f"the reward model saw none such, and the policy may learn not to end ({HUANG})",
            help="set `missing_end: -1`",
        )


def tokens_are_not_the_policys(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W408: log-probabilities of a distribution that the tokens were not drawn from."""
    generation = resolved.spec.ppo.generation
    if "ppo" not in resolved.spec.stages:
        return
    for key in ("top_k", "top_p"):
        if getattr(generation, key) not in (None, 1):
            yield resolved.error(
                "W408",
                ("ppo", "generation", key),
                f"`{key}` draws from another distribution than the policy's",
                why="the importance ratio and the policy gradient are of the whole one",
                help=f"remove `{key}` from training; a finished model may be sampled with it",
            )


def nothing_is_held_out(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W409: a model judged on what it learnt from."""
    if resolved.spec.data.held_out == 0:
        yield resolved.error(
            "W409",
            ("data", "held_out"),
            "nothing is held out, so the comparison is on prompts that were learnt from",
            why="a model that learnt them by heart looks as good as one that learnt the task",
            help="set `held_out: 0.1`",
        )


def the_value_function_learns_slower(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W201: a policy that outruns its value function follows the advantages of an older one."""
    ppo = resolved.spec.ppo
    if "ppo" in resolved.spec.stages and ppo.value_optimizer is not None:
        rate = ppo.value_optimizer.lr
        if rate < ppo.optimizer.lr:
            yield resolved.error(
                "W201",
                resolved.said(("ppo", "value_optimizer", "lr"), ("ppo", "optimizer", "lr")),
                f"the value function learns slower ({rate:g}) than the policy "
                f"({ppo.optimizer.lr:g})",
                why=f"advantages are only as good as the values they come from ({LECTURE})",
                help="raise ppo.value_optimizer.lr to the policy's rate or above",
            )


def many_epochs_without_a_limit(resolved: "RlhfResolved") -> Iterator[Diagnostic]:
    """W203: each pass takes the policy further from the one that drew the responses."""
    ppo = resolved.spec.ppo
    limited = ppo.target_kl is not None or ppo.policy_objective.uses("kl")
    if "ppo" in resolved.spec.stages and ppo.epochs > MANY_EPOCHS and not limited:
        yield resolved.error(
            "W203",
            ("ppo", "epochs"),
            f"{ppo.epochs} epochs over each rollout, and no limit on the KL divergence",
            why=f"clipping bounds the incentive to move, not the movement ({LECTURE})",
            help="set ppo.target_kl, for instance to 0.02, or take fewer epochs",
        )


LINTS: tuple[Callable[["RlhfResolved"], Iterator[Diagnostic]], ...] = (
    nothing_holds_the_policy,
    the_penalty_is_large,
    the_reward_model_sees_its_data_often,
    the_policy_moves_fast,
    a_new_model_learns_slowly,
    later_tokens_count_less,
    what_never_ends_is_scored,
    tokens_are_not_the_policys,
    nothing_is_held_out,
    the_value_function_learns_slower,
    many_epochs_without_a_limit,
    always_needs_a_compiler,
)
