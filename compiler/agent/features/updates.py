"""Steps of gradient descent: gradients, and what stops or skips a step."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.constants import epsilon_name, split_epsilon
from ppoc.compiler.agent.features.losses import argument_or_constant, metric_names
from ppoc.compiler.agent.features.optimizers import optimizer_fields
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.agent.schedules import scheduled
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code

ACTIVE = """

    `active`, [], bool, goes in and out: once it is false, the learner stays as it is. A flag and no
    branch, so that the host need not wait for the device.
    """


class Learner(Feature):
    """Parameters and the optimiser's state."""

    template = "updates/learner"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches

    def words(self) -> Mapping[str, Any]:
        loaded = ', **run.checkpoint["optimizer"]' if optimizer_fields(self.plan) else ""
        return {"loaded_optimizer": Code(loaded)}


class OptimizerState(Feature):
    """The optimiser's state, which runs go on with."""

    template = "updates/optimizer_state"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and bool(optimizer_fields(plan))

    def words(self) -> Mapping[str, Any]:
        pairs = ", ".join(f'"{name}": learner.{name}' for name in optimizer_fields(self.plan))
        return {"optimizer_state": Code("{" + pairs + "}")}


class HostLearner(Feature):
    """The learner on the device, beside environments on the host."""

    template = "updates/host_learner"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and not plan.device_rollout


class DeviceLearner(Feature):
    """The learner on the device, with all else."""

    template = "updates/device_learner"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.device_rollout


class CompiledGradient(Feature):
    """The gradient in a form that can be compiled."""

    template = "updates/compiled_gradient"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.compile_update

    def lists(self) -> Mapping[str, Sequence[Any]]:
        return {"imports": ["from torch.func import grad_and_value"]}


class EagerGradient(Feature):
    """The gradient by autograd."""

    template = "updates/eager_gradient"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and not plan.compile_update


class Update(Feature):
    """One gradient step, and the epochs of them."""

    template = "updates/update"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches

    def words(self) -> Mapping[str, Any]:
        plan = self.plan
        stops = plan.spec.update.target_kl is not None
        fields = "".join(f", {name}" for name in optimizer_fields(plan))
        samples = "NUM_SAMPLES" if plan.spec.update.buffer else "BATCH_SIZE"
        minibatch = "MINIBATCH_SIZE // SEQUENCE_LENGTH" if plan.memory else "MINIBATCH_SIZE"
        rows = "K·B" if plan.spec.update.buffer else "B/L" if plan.memory else "B"
        of_loss = [row.argument for row in scheduled(plan) if row.of_loss]
        region = plan.spec.optimizer.trust_region is not None
        # A trust region takes the policy's objective out of the loss, and its arguments with it.
        of_update = [row.argument for row in scheduled(plan) if not (region and row.of_loss)]
        typed = [Code(f"{name}: Tensor") for name in of_loss]
        whole = f"(EPOCHS * {samples} // MINIBATCH_SIZE)"
        if plan.shortens:
            whole = f"(permutations.numel() // {f'({minibatch})' if plan.memory else minibatch})"
        learnt = "rows" if PaddedUpdate.applies(plan) else "batch"
        num_rows = "NUM_SEQUENCES" if plan.memory else samples
        more = ", active: Tensor" if stops else ""
        return {
            "metrics": metric_names(plan),
            "update_fixed": f"learner: TrainState, batch: Batch, indices: Tensor{more}",
            "update_result": f") -> tuple[TrainState, Tensor{', Tensor' if stops else ''}]:",
            "update_note": Code(ACTIVE if stops else ""),
            "update_arguments": of_update,
            "typed_update_arguments": [Code(f"{name}: Tensor") for name in of_update],
            "policy_arguments": of_loss,
            "typed_policy_arguments": typed,
            "loss_arguments": [] if region else of_loss,
            "typed_loss_arguments": [] if region else typed,
            "learning_rate": argument_or_constant(plan, "learning_rate"),
            "optimizer_fields": Code(fields),
            "epsilon_name": Code(epsilon_name(plan)),
            "epsilon": Code("epsilon" if split_epsilon(plan) else epsilon_name(plan)),
            "rows_permuted": Code(rows),
            "num_rows": Code(num_rows),
            "rows_of_batch": Code("len(batch.advantages)" if plan.shortens else num_rows),
            "improved": f"update_step, learner, {learnt}, permutations",
            "num_updates": Code("updates" if stops else whole),
            "minibatch_rows": Code(f"MINIBATCH_SIZE{' // SEQUENCE_LENGTH' if plan.memory else ''}"),
        }


class PaddedUpdate(Feature):
    """A short last batch, padded to the shape that the update is compiled for."""

    template = "updates/padded_update"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.shortens and plan.compile_update


class GradientClipping(Feature):
    """A largest norm of the gradient."""

    template = "updates/gradient_clipping"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.optimizer.max_grad_norm is not None


class SkipDivergent(Feature):
    """Steps that are not finite are left out, and counted."""

    template = "updates/skip_divergent"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.training.on_divergence == "continue"


class MeanOfUpdates(Feature):
    """The mean of what the updates measured."""

    template = "updates/mean_of_updates"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and not SkipDivergent.applies(plan)


class TargetKl(Feature):
    """Epochs end early once the policy has moved too far."""

    template = "updates/target_kl"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.spec.update.target_kl is not None


class AllEpochs(Feature):
    """All epochs are made."""

    template = "updates/all_epochs"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and plan.spec.update.target_kl is None


class EveryUpdate(Feature):
    """Every step is taken."""

    template = "updates/every_update"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return AllEpochs.applies(plan) and MeanOfUpdates.applies(plan)


class ConditionalUpdate(Feature):
    """A step is taken where it is finite, and where epochs have not ended."""

    template = "updates/conditional_update"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return not plan.searches and not EveryUpdate.applies(plan)

    def words(self) -> Mapping[str, Any]:
        stops, skips = TargetKl.applies(self.plan), SkipDivergent.applies(self.plan)
        both = [Code("take = still_active & finite")] if stops and skips else []
        kept = "TrainState(*kept), still_active, metrics * active"
        return {
            "both_conditions": both,
            "update_condition": Code("take" if both else "finite" if skips else "still_active"),
            "kept_update": Code(kept if stops else "TrainState(*kept), metrics"),
        }
