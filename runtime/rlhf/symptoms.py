"""Symptoms of an unhealthy stage: one row each, with threshold, source and what to try.

Sources, besides those of `ppoc.runtime.health.symptoms`:
    Ziegler et al. 2019: Fine-tuning language models from human preferences.
    Stiennon et al. 2020: Learning to summarize from human feedback.
    Ouyang et al. 2022: Training language models to follow instructions with human feedback.
    Gao et al. 2023: Scaling laws for reward model overoptimization.
    Huang et al. 2024: The N+ implementation details of RLHF with PPO.
    TRL: its documentation, "Logging" and "Training FAQ" of PPO.
"""

import math

from ppoc.runtime.health.monitor import Monitor
from ppoc.runtime.health.settings import Facts
from ppoc.runtime.health.symptom import Symptom
from ppoc.runtime.health.symptoms import (
    DETAILS,
    EXPLODED_KL,
    LECTURE,
    NUTS,
    UNEXPLAINED,
    became_not_finite,
    flat,
    unlearning,
)
from ppoc.runtime.rlhf import remedies, signs
from ppoc.runtime.rlhf.signs import LIMITS
from ppoc.runtime.rlhf.trend import RANKINGS, StageTrend

ZIEGLER = "Ziegler et al. 2019, Fine-tuning language models from human preferences"
STIENNON = "Stiennon et al. 2020, Learning to summarize from human feedback"
INSTRUCT = "Ouyang et al. 2022, Training language models to follow instructions"
GAO = "Gao et al. 2023, Scaling laws for reward model overoptimization"
N_PLUS = "Huang et al. 2024, The N+ implementation details of RLHF with PPO"
TRL = "TRL, documentation of its PPO trainer"

WORSE, DEAD = 2.0, 15  # times the first loss, and iterations


def monitor(stage: str, facts: Facts) -> Monitor:
    """The monitor of a stage of a run."""
    trend = StageTrend(facts.settings, facts.total_steps.get(stage, 0))
    evaluations = StageTrend(facts.settings, 0, training=trend), HELD_OUT.get(stage, ())
    return Monitor(trend, SYMPTOMS[stage], evaluations)


def _not_finite(stage: str, *metrics: str) -> list[Symptom]:
    return [
        Symptom(
            "not-finite",
            metric,
            1,
            became_not_finite(metric),
            f"{metric} became {{value}}",
            "A loss or a gradient overflowed.",
            remedies.smaller_steps if stage == "ppo" else remedies.slower(stage),
            NUTS,
        )
        for metric in metrics
    ]


def _loss_exploded(stage: str) -> Symptom:
    limit = LIMITS[stage]["loss"]
    return Symptom(
        "loss-explosion",
        "loss",
        1,
        lambda row, trend: row["loss"] > limit,
        "the loss is {value}, far more than guessing costs",
        "Steps are so large that each undoes what was learnt.",
        remedies.slower(stage),
        NUTS,
    )


def _loss_rising(stage: str) -> Symptom:
    return Symptom(
        "rising-loss",
        "loss",
        3,
        lambda row, trend: row["loss"] > WORSE * trend.first.get("loss", math.inf),
        f"the loss is {{value}}, more than {WORSE:g} times what it was at first",
        "Steps are too large: the model unlearns what it knew before it began.",
        remedies.slower(stage),
        NUTS,
    )


# Each in the order in which one causes another.
SYMPTOMS: dict[str, tuple[Symptom, ...]] = {
    "sft": (
        _loss_exploded("sft"),
        *_not_finite("sft", "loss", "grad_norm"),
        _loss_rising("sft"),
    ),
    "reward": (
        _loss_exploded("reward"),
        *_not_finite("reward", "loss", "grad_norm"),
        _loss_rising("reward"),
        Symptom(
            "reward-at-chance",
            "accuracy",
            1,
            signs.at_chance,
            f"over {RANKINGS:,} rankings, the reward model told better answers from worse no "
            "better than a coin",
            "It learns nothing from the rankings: steps are too small or too large, or people "
            "disagree.",
            remedies.faster("reward"),
            STIENNON,
        ),
    ),
    "ppo": (
        Symptom(
            "kl-explosion",
            "approx_kl",
            1,
            lambda row, trend: row["approx_kl"] > EXPLODED_KL,
            "the policy left the one that answered (KL divergence {value} nats a token)",
            "An update moved the policy so far that its answers say nothing about it any more.",
            remedies.smaller_steps,
            NUTS,
        ),
        Symptom(
            "high-kl",
            "approx_kl",
            2,
            signs.high_kl,
            "a KL divergence of {value} nats a token between the policy and the one that answered",
            "Clipping bounds the incentive to move, not the movement: updates are too large, or "
            "too many for one rollout.",
            remedies.smaller_steps,
            LECTURE,
        ),
        Symptom(
            "clip-saturated",
            "clip_fraction",
            3,
            signs.clipped,
            "{value} of the tokens are clipped, and teach nothing",
            "Most tokens are outside the clip range after a few minibatches: updates are too "
            "large.",
            remedies.smaller_steps,
            DETAILS,
        ),
        *_not_finite(
            "ppo",
            *("policy_loss", "value_loss", "grad_norm", "entropy"),
            *("approx_kl", "score", "kl_to_reference"),
        ),
        Symptom(
            "far-from-reference",
            "kl_to_reference",
            3,
            signs.far,
            "the policy is {value} nats an answer away from the one it started from",
            "So far away, the reward model knows nothing like these answers, and its score says "
            "little of what people want.",
            remedies.nearer,
            GAO,
        ),
        Symptom(
            "negative-kl",
            "kl_to_reference",
            3,
            lambda row, trend: row["kl_to_reference"] < signs.NEGATIVE,
            "a KL divergence of {value} nats an answer from the reference, and none is negative",
            "Tokens were not drawn from the distribution that their probabilities are taken from, "
            "so that the penalty rewards what it should hold back.",
            remedies.untruncated,
            TRL,
        ),
        Symptom(
            "value-loss-explosion",
            "value_loss",
            3,
            signs.values_exploded,
            "the value loss is {value}: values are far from anything that answers earn",
            "Values run away from their targets: their steps are too large.",
            remedies.calmer_values,
            LECTURE,
        ),
        Symptom(
            "useless-critic",
            "explained_variance",
            DEAD,
            signs.dead_values,
            f"for {{count}} iterations, values explained less than {UNEXPLAINED:.0%} of the "
            "returns' variance (now {value})",
            "Advantages are only as good as the values they come from, and these say nothing.",
            remedies.valuing,
            LECTURE,
        ),
        Symptom(
            "entropy-collapse",
            "entropy",
            3,
            signs.collapsed,
            "the entropy of tokens fell to {value} nats: answers to a prompt are all alike",
            "The policy found one answer that scores well, and tries no other.",
            remedies.exploring,
            NUTS,
        ),
        Symptom(
            "entropy-too-high",
            "entropy",
            3,
            signs.noisy,
            f"the entropy of tokens rose to {{value}} nats, by more than {signs.NOISE:g}: answers "
            "become noise",
            "Steps are too large, or the entropy bonus outweighs what the policy could gain.",
            remedies.less_noise,
            NUTS,
        ),
        Symptom(
            "endless-answers",
            "ended",
            3,
            signs.endless(began=True),
            "answers stopped to end by themselves ({value} of them do)",
            "The policy was drawn to longer answers, up to their limit.",
            remedies.wanting_ends,
            N_PLUS,
        ),
        Symptom(
            "cut-answers",
            "ended",
            3,
            signs.endless(began=False),
            "answers are cut before they end ({value} of them end by themselves)",
            "They are longer than they may be, or the first policy never learnt to end them; the "
            "reward model reads beginnings.",
            remedies.longer_answers,
            N_PLUS,
        ),
        Symptom(
            "unlearning",
            "score",
            5,
            unlearning,
            "scores fell back to {value}, near where they started",
            "The policy forgot what it had learnt; an update was too large.",
            remedies.smaller_steps,
            NUTS,
        ),
        Symptom(
            "no-improvement",
            "score",
            1,
            flat,
            "scores have not improved in half of the run (now {value})",
            "Learning is too slow, or leaving the reference costs more than it gains.",
            remedies.bolder,
            ZIEGLER,
        ),
    ),
}
HELD_OUT: dict[str, tuple[Symptom, ...]] = {
    "sft": (
        *_not_finite("sft", "held_out_loss"),
        Symptom(
            "overfit",
            "held_out_loss",
            2,
            signs.overfit,
            "the loss on held-out demonstrations rose to {value}, more than "
            f"{signs.OVERFIT - 1:.0%} above its lowest",
            "The model learns the demonstrations by heart, after so many passes over them.",
            remedies.fewer_epochs("sft"),
            INSTRUCT,
        ),
    ),
    "reward": tuple(
        Symptom(
            "reward-at-chance",
            "held_out_accuracy",
            1,
            shown,
            "{value} of held-out pairs are ranked as people do, and a coin gets half",
            cause,
            changes,
            STIENNON,
        )
        for shown, cause, changes in (
            (
                signs.by_heart,
                "It learnt rankings by heart, and that does not carry over to others.",
                remedies.fewer_epochs("reward"),
            ),
            (
                signs.learns_nothing,
                "It learns nothing, of those that it learns from either: steps are too small or "
                "too large, or people disagree.",
                remedies.faster("reward"),
            ),
        )
    ),
}
