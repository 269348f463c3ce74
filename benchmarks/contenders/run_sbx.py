"""SBX's PPO: Stable-Baselines3 in JAX, with the same vector environments as run_sb3.

Not expressed, for SBX has none of it: the value's clip (`clip_range_vf` is accepted and ignored, so
a value clip makes the update here cheaper than the task's). Actor and critic have an optimizer
each, and max_grad_norm bounds the gradient of each alone. Everything else maps as in run_sb3.
JAX compiles one minibatch's update; its compile time falls in the first iteration. `one-thread`
does not bind JAX.
"""

from run_sb3 import train
from task import Task, contend


def measure(task: Task) -> None:
    import flax.linen
    import optax  # noqa: F401 (SBX's own dependency; named here for a clear message)
    from sbx import PPO

    activations = {"tanh": flax.linen.tanh, "relu": flax.linen.relu}
    policy = {
        "activation_fn": activations[task.activation],
        "optimizer_kwargs": {"eps": task.adam_epsilon},
    }
    train(PPO, task, policy, lambda model: int(model.policy.actor_state.step))


if __name__ == "__main__":
    contend(measure)
