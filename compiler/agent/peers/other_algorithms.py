"""Algorithms that are no preset here: what they do otherwise, or the preset and key they are."""

from collections.abc import Iterable

from ppoc.compiler.front.suggest import did_you_mean

OFF_POLICY = "learns off-policy from a replay buffer, which ppoc does not"
OF_A_MODEL = "plans or learns in a model of the environment, which ppoc does not"
GROUPS = {
    OFF_POLICY: (
        "sac td3 ddpg dqn ddqn double-dqn dueling-dqn rainbow c51 qr-dqn qrdqn tqc redq crossq "
        "iqn her r2d2 d4pg droq naf discrete-sac mpo awr awac cql iql bcq td7 simba q-learning "
        "apex ape-x"
    ),
    "acts in many processes whose data are older than the policy, which ppoc's are not: `ppo` "
    "and `a2c` are nearest": "impala appo apex-ppo",
    "is an estimator here, `advantage.estimator: v-trace` over `update.buffer`": "v-trace vtrace",
    "acts in many processes that do not wait for each other; `a2c` is the same, in step": "a3c",
    OF_A_MODEL: (
        "muzero alphazero alpha-zero dreamer dreamerv2 dreamerv3 mbpo pets planet td-mpc tdmpc "
        "td-mpc2 efficientzero"
    ),
    "searches without a gradient; of that kind ppoc has `cem`": (
        "es ars cma-es cmaes openai-es ga neat pgpe"
    ),
    "is of several agents, of which ppoc has one": "mappo ippo qmix maddpg vdn coma happo",
    "learns from demonstrations, which ppoc does not": (
        "bc gail airl dagger marwil behavior-cloning td3-bc decision-transformer"
    ),
    "is of language models: write `kind: rlhf`, which has PPO": "grpo dpo rloo kto orpo rlhf remax",
    "is no preset here; `trpo` is nearest": "npg natural-gradient natural-policy-gradient acktr",
    "is no preset here; `off-policy` learns from earlier rollouts by importance": "acer geppo",
    "is no preset here; `ppo` is nearest": "ppg rpo spo vmpo v-mpo dapo truly-ppo dppo",
}
REASONS = {name: why for why, names in GROUPS.items() for name in names.split()}
# Names of the same thing, and what to write.
SAME = {
    "ppo2": "`ppo`",
    "ppo1": "`ppo`",
    "ppo-clip": "`ppo`",
    "ppo-penalty": "`ppo-kl` or `ppo-kl-adaptive`",
    "ppo-lstm": "`ppo`, with `networks.actor.memory`",
    "recurrent-ppo": "`ppo`, with `networks.actor.memory`",
    "recurrentppo": "`ppo`, with `networks.actor.memory`",
    "maskable-ppo": "`ppo`, with `env.action_masks`",
    "maskableppo": "`ppo`, with `env.action_masks`",
    "a2c-ppo": "`a2c` or `ppo`",
    "actor-critic": "`td-actor-critic`, `q-actor-critic` or `a2c`",
    "ac": "`td-actor-critic`, `q-actor-critic` or `a2c`",
    "vpg": "`reinforce-baseline`, `a2c` or `vpg-adaptive`",
    "vanilla-policy-gradient": "`reinforce-baseline`, `a2c` or `vpg-adaptive`",
    "pg": "`reinforce`",
    "policy-gradient": "`reinforce`",
    "cross-entropy": "`cem`",
    "cross-entropy-method": "`cem`",
}


def unknown_algorithm(name: str, presets: Iterable[str]) -> str:
    """A hint for an algorithm that is no preset; empty where nothing is known of it."""
    own = name.strip().lower().replace("_", "-").replace(" ", "-")
    if own in SAME:
        return f"did you mean {SAME[own]}?"
    if own in REASONS:
        return f"{name[:40]} {REASONS[own]};"
    return did_you_mean(name, presets)
