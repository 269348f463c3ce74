"""E403: a policy or a reward model that no stage makes and no run folder has."""

from collections.abc import Iterator

from ppoc.compiler.front.diagnostics import Diagnostic
from ppoc.compiler.front.rules import rule
from ppoc.compiler.rlhf.resolved import RlhfResolved


@rule("E403", "reward.start", "stages", "start.policy", "start.reward")
def stages_have_what_they_start_from(resolved: RlhfResolved) -> Iterator[Diagnostic]:
    spec = resolved.spec
    stages, start = spec.stages, spec.start
    of_sft = [s for s in stages if s == "ppo" or (s == "reward" and spec.reward.start == "sft")]
    if "sft" not in stages and of_sft and start.policy is None:
        yield resolved.diagnostic(
            "E403",
            ("stages",),
            f"{of_sft[0]} starts from a supervised policy, and there is none",
            help="add sft, or name a run folder that has one: `start: {policy: runs/my-model-1}`",
        )
    if "ppo" in stages and "reward" not in stages and start.reward is None:
        yield resolved.diagnostic(
            "E403",
            ("stages",),
            "ppo needs a reward model, and there is none",
            help="add reward, or name a run folder that has one: `start: {reward: runs/…}`",
        )
    for what, stage in (("policy", "sft"), ("reward", "reward")):
        if getattr(start, what) is not None and stage in stages:
            yield resolved.diagnostic(
                "E403",
                ("start", what),
                f"`start.{what}` says where the {what} comes from, and the stage {stage} makes one",
                help=f"remove it, or take {stage} out of `stages`",
            )
