"""Names that mean something else within a section of an agent's spec, as `section.name`.

Hint → names, as in ppoc.compiler.agent.peers.names.
"""

from collections.abc import Mapping

SECTIONS: Mapping[str, str] = {
    "losses.policy.epsilon, the clip range": (
        "policy.clip policy.eps policy.range policy.clip_range"
    ),
    "ppoc has none: the policy's term has weight 1; scale the others, "
    "`losses.value.coefficient` and `losses.entropy.beta`": (
        "policy.coefficient policy.weight policy.coef policy.beta"
    ),
    "losses.value.coefficient, the weight": "value.weight value.beta value.coef value.scale",
    "losses.value.clip, how far values may move": "value.epsilon value.eps value.clip_range",
    "losses.entropy.beta, the weight": (
        "entropy.coefficient entropy.coef entropy.weight entropy.alpha entropy.scale "
        "entropy.epsilon entropy.value"
    ),
    "ppoc has none: the bonus is `losses.entropy.beta` times the entropy": (
        "entropy.objective entropy.parameters entropy.target entropy.clip"
    ),
    "losses.entropy": "losses.ent losses.entropy_bonus losses.entropy_loss",
    "losses.policy": "losses.actor losses.pi losses.surrogate losses.policy_loss",
    "losses.value": "losses.critic losses.vf losses.value_loss losses.value_function",
    "env.max_episode_steps, the time limit": "env.max_steps env.horizon env.steps env.limit",
    "env.options, arguments of the environment": (
        "env.kwargs env.args env.config env.arguments env.params"
    ),
    "env.id, of gymnasium": "env.name env.env env.environment env.gym_id",
    "env.num_envs, side by side": "env.num env.count env.n env.copies env.number",
    "evaluation.episodes, of one evaluation": (
        "evaluation.n evaluation.num_episodes evaluation.count evaluation.n_episodes"
    ),
    "evaluation.every, in environment steps": (
        "evaluation.interval evaluation.frequency evaluation.freq evaluation.steps "
        "evaluation.every_steps"
    ),
    "training.total_steps, of the environments": (
        "training.steps training.timesteps training.max_steps training.length training.duration"
    ),
    "update.rollout_steps, over all environments together": (
        "update.steps update.rollout update.horizon update.size"
    ),
    "update.minibatch_size, in samples": "update.minibatch update.minibatches update.batch",
    "optimizer.actor.epsilon, of Adam": "optimizer.eps optimizer.epsilon actor.eps critic.eps",
    "optimizer.actor.lr, and of the critic as much unless it says": "optimizer.rate",
    "ppoc has none: Adam's betas are 0.9 and 0.999": (
        "beta1 beta2 betas adam_betas adam_beta1 adam_beta2"
    ),
    "networks.actor.layers, a list of widths": (
        "actor.hidden actor.sizes actor.widths actor.units actor.mlp actor.hidden_size "
        "networks.layers networks.hidden networks.hidden_size"
    ),
    "networks.critic.layers, a list of widths": (
        "critic.hidden critic.sizes critic.widths critic.units critic.hidden_size critic.mlp"
    ),
    "networks.critic, the value function": (
        "networks.value networks.vf networks.value_function networks.v networks.baseline"
    ),
    "networks.actor, the policy": "networks.policy networks.pi",
}
