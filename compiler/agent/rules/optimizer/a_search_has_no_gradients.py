"""E114: values of the gradient's machinery beside the cross-entropy method."""

from collections.abc import Iterator

from ppoc.compiler.agent.resolved import ResolvedAgent
from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule

# Keys that a search without gradients has no use for.
OF_GRADIENTS = (
    ("advantage",),
    ("losses",),
    ("networks", "critic"),
    ("networks", "actor", "log_std_init"),
    ("optimizer", "actor"),
    ("optimizer", "critic"),
    ("optimizer", "trust_region"),
    ("optimizer", "max_grad_norm"),
    ("update", "epochs"),
    ("update", "minibatch_size"),
    ("update", "target_kl"),
    ("update", "buffer"),
    ("env", "normalize", "rewards"),
)


@rule("E114", "env.num_envs", "optimizer.cross_entropy.elite_fraction")
def a_search_has_no_gradients(resolved: ResolvedAgent) -> Iterator[Diagnostic]:
    region = resolved.spec.optimizer.cross_entropy
    if region is None or resolved.is_lock:
        return
    for path in OF_GRADIENTS:
        if resolved.origin(path).kind in ("spec", "extends", "override"):
            yield resolved.diagnostic(
                "E114",
                path,
                f"the cross-entropy method does not use `{'.'.join(path)}`",
                why="it scores whole policies by their return, and differentiates nothing",
                help="remove it, or set `optimizer.cross_entropy: null`",
            )
    elites = int(resolved.spec.env.num_envs * region.elite_fraction)
    if elites < 2:
        yield resolved.diagnostic(
            "E114",
            ("env", "num_envs"),
            f"{resolved.spec.env.num_envs} candidates leave {elites} to refit to",
            why="there is one candidate an environment, and a deviation needs two",
            help="take more environments, such as `env.num_envs: 40`",
        )
