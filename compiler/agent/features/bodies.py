"""Networks: custom bodies, shared bodies, images, and memories."""

from collections.abc import Mapping, Sequence
from typing import Any

from ppoc.compiler.agent.networks.layers import Residual
from ppoc.compiler.agent.plan import Plan
from ppoc.compiler.emission.features import Feature
from ppoc.compiler.emission.literals import Code, literal

IMAGES_AT_ONCE = 128  # evaluated in half the time that 1,024 take together


class Networks(Feature):
    """Functions of the networks, and how the rest of a module speaks of them."""

    plan: Plan

    def words(self) -> Mapping[str, Any]:
        plan, networks = self.plan, self.plan.networks
        shared, facts = networks.has_body, plan.facts
        source = "features" if shared else "observations"
        bytes_ = 1 < facts.pixel <= 255
        numpy = networks.acts_in_numpy
        inputs = "body(p, observations)" if shared else "observations"
        head = networks.actor.head
        tensor = "torch.as_tensor(observations, device=device)"
        return {
            "networks": [] if plan.searches else networks.functions(),
            "numpy_actor": networks.numpy_actor(stacked=plan.searches),
            "features": Code("features" if shared else "batch.observations"),
            "at": Code(source),
            "at_next": Code(f"next_{source}"),
            "policy_input": Code(inputs),
            "torch_inputs": Code(f"body(p, {tensor})" if shared else tensor),
            "head_name": f"{head.name}.weight",
            "letters": Code("C, H, W" if facts.images else "O"),
            "observation_dtype": Code("np.uint8" if facts.images and bytes_ else "np.float32"),
            "weights": Code("weights" if numpy else "p"),
            "weights_type": Code(f"dict[str, {'np.ndarray' if numpy else 'Tensor'}]"),
            "as_weights": Code(f"runtime.{'as_arrays' if numpy else 'unflatten'}"),
            "b": Code("B/L, L" if plan.memory else "B"),
            "flat": self.flat,
        }

    def flat(self, text: str, deep: bool = False) -> Code:
        """The text of a batch's column, of a rollout's."""
        if self.plan.memory:
            return Code(f"sequences({text})")
        inner = f"({text})" if "+" in text else text
        return Code(f"{inner}.flatten({'0, 1' if deep else ''})")

    def lists(self) -> Mapping[str, Sequence[Any]]:
        functions = self.plan.networks.torch_functions() if not self.plan.searches else ()
        return {"imports": [f"from torch.nn.functional import {name}" for name in functions]}


class CustomBodies(Feature):
    """Bodies in code of the user's own."""

    template = "bodies/custom_bodies"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return bool(plan.custom)

    def words(self) -> Mapping[str, Any]:
        return {
            "custom": [Code(which.upper()) for which in self.plan.custom],
            "shape": self.plan.facts.shape,
        }


class ResidualBlocks(Feature):
    """Convolutions with a way around them."""

    template = "bodies/residual"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return any(isinstance(stage, Residual) for stage in plan.networks.stages())


class SharedBody(Feature):
    """A body before the heads of actor and critic."""

    template = "bodies/shared_body"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.networks.has_body and not plan.memory and not plan.facts.images


class ImageBody(Feature):
    """A body that sees images, a few at a time."""

    template = "bodies/image_body"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.networks.has_body and not plan.memory and plan.facts.images

    def words(self) -> Mapping[str, Any]:
        return {"image_steps": max(1, IMAGES_AT_ONCE // self.plan.spec.env.num_envs)}


class FollowingBody(Feature):
    """Features of each transition's successor."""

    template = "bodies/following_body"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        needed = plan.learns_action_values or (plan.has_critic and not plan.facts.images)
        return plan.networks.has_body and not plan.memory and needed


class Memory(Feature):
    """An LSTM or GRU, learnt through stretches of L steps."""

    template = "bodies/memory"
    plan: Plan

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.memory

    def words(self) -> Mapping[str, Any]:
        lines: dict[str, Any] = self.plan.networks.memory_lines()
        cells = lines["cells"]
        step = [f"state = {_after(cells[0], 'state')}"]
        if len(cells) == 2:
            sizes = literal(tuple(cell["state_size"] for cell in cells))
            step = [
                f"parts = state.split({sizes}, -1)",
                f"actor_state = {_after(cells[0], 'parts[0]')}",
                f"critic_state = {_after(cells[1], 'parts[1]')}",
                "state = torch.cat([actor_state, critic_state], -1)",
            ]
        return {**lines, "memory_step": [Code(line) for line in step]}

    def lists(self) -> Mapping[str, Sequence[Any]]:
        recurrent = [Code("starts"), Code("state")]
        return {
            "make_batch_arguments": recurrent,
            "batch_arguments": [Code("state_before")],
            "recurrent": recurrent,
        }


def _after(cell: Mapping[str, Any], state: str) -> str:
    """The state of a memory's cell after a step."""
    return f"{cell['function']}(p, {cell['gates']}[t], {state})"


class CriticAfterMemory(Feature):
    """A critic that values successors with the memory of the step before."""

    template = "bodies/critic_after_memory"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.memory and plan.has_critic


class MemoryState(Feature):
    """A memory that runs go on with."""

    template = "bodies/memory_state"

    @classmethod
    def applies(cls, plan: Plan) -> bool:
        return plan.memory and plan.spec.update.sampling != "episodes"
